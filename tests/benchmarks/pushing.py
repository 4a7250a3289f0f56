"""The measurements of taking in: batches of new ops and of known ones through HTTP on either database, the storm of 500
devices, memory. The limit beside each is the same bytes in bare inserts, as durable. No assertions but that all was taken."""

import asyncio
import gzip
import http.client
import json
import random
import secrets
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg

from backend.now import now_utc
from sync_protocol.identity import GENESIS, chain_head, fingerprint, uuid7
from tests.benchmarks.table import row
from tests.faults.crowd import crowd, storm
from tests.faults.phones import CODES, sites
from tests.faults.rig import Place, Server, Template, prepare, serving
from tests.postgres import Cluster, cluster

BATCH, BATCHES, PHONES, RUNS = 100, 6, 4, 3
STORM_PHONES, STORM_OPS = 500, 60


def everything(folder: Path) -> list[dict[str, Any]]:
    """Push on SQLite and on PostgreSQL (which really writes), then the storm on SQLite."""
    prepare(folder / "prepared", f"sqlite:///{folder / 'prepared' / 'huyuan.db'}")
    place = Template(folder / "prepared").copy(folder / "sqlite")
    found = _pushes("SQLite", place, lambda bodies: _raw_sqlite(folder / f"raw{secrets.token_hex(4)}.db", bodies))
    with cluster(fsync=True) as made:
        prepare(folder / "pg", made.url)
        found += _pushes("PostgreSQL", Place(folder / "pg", made.url, made), lambda bodies: _raw_postgres(made, bodies))
    return [*found, *_storm(Template(folder / "prepared").copy(folder / "storm"), folder)]


class Phone:
    """Ready-made batches of one replica, sent over one connection."""

    def __init__(self, server: Server, place: Place, person: int) -> None:
        asked = {"code": place.code(person), "install_id": f"bench-{secrets.token_hex(8)}", "app": "bench", "proto": 1}
        made = server.json("POST", "/sync/v1/enrol", asked)[1]
        self.headers = {"Authorization": f"Bearer {made['token']}", "Content-Type": "application/json", "Content-Encoding": "gzip"}
        self.port, self.person = server.port, person
        self.replica, self.epoch, self.seq, self.head = made["replica"], made["epoch"], 1, GENESIS
        self.sites, self.dice = sites(place), random.Random(person)

    def body(self) -> str:
        """One checklist of 20 answers, about 1.6 kB; one in twenty has a failed item."""
        answers = dict.fromkeys(CODES[:20], "pass")
        if self.dice.random() < 0.05:
            answers[self.dice.choice(CODES[:20])] = "fail"
        site = self.dice.choice(self.sites)
        args = {"task_id": f"faults:{site}:campus-perimeter", "site_id": site, "programme": "campus-perimeter", "template_version": 1,
                "team_id": f"tf{self.person}", "answers": answers, "fix": {"lon": 118.0448, "lat": 36.807, "accuracy_m": 8, "crs": "wgs84"},
                "remarks": dict.fromkeys(CODES[:10], "现场查看，符合要求，已向值班人员核实并拍照留存")}  # fmt: skip
        op, ent = (uuid7(int(time.time() * 1000), secrets.token_bytes(10)) for _ in range(2))
        return json.dumps({"op": op, "verb": "inspection.submit", "v": 1, "actor": f"u-f{self.person}", "ent": {"t": "inspection", "id": ent},
                           "base": None, "args": args, "blobs": [], "at": {"wall": now_utc().isoformat(), "mono": 1}},
                          ensure_ascii=False, separators=(",", ":"))  # fmt: skip

    def batch(self) -> tuple[bytes, list[str]]:
        """One request body, gzipped, and the op bodies in it."""
        ops, bodies = [], [self.body() for _ in range(BATCH)]
        for text in bodies:
            ops.append({"seq": self.seq, "prev": self.head, "body": text})
            self.head = chain_head(self.head, self.replica, self.seq, fingerprint(text))
            self.seq += 1
        request = {"proto": 1, "epoch": self.epoch, "replica": self.replica, "outbox_len": BATCH, "ops": ops}
        return gzip.compress(json.dumps(request, ensure_ascii=False).encode(), 1), bodies

    def send(self, batches: Sequence[bytes]) -> None:
        """Send batches one after the other; every op must be applied (or a duplicate)."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for body in batches:
            line.request("POST", "/sync/v1/push", body, self.headers)
            answer = json.loads(line.getresponse().read())
            assert [result["status"] for result in answer["results"]] == ["applied"] * BATCH, answer
        line.close()


def _pushes(name: str, place: Place, raw: Callable[[list[str]], float]) -> list[dict[str, Any]]:
    """Batches of 100 through HTTP from PHONES connections; then the same again as duplicates; raw inserts beside."""
    rates, again, limits, size = [], [], [], 0
    with serving(place) as server:
        for _ in range(RUNS):
            phones = [Phone(server, place, person) for person in range(1, PHONES + 1)]
            work = [(phone, [phone.batch() for _ in range(BATCHES)]) for phone in phones]
            bodies = [text for _, batches in work for _, texts in batches for text in texts]
            size = round(statistics.mean(len(text.encode()) for text in bodies))
            rates.append(_race(work))
            again.append(_race(work))
            limits.append(raw(bodies))
        peak = peak_memory(server.workers[0].pid)
    new, limit, dup = (statistics.median(x) for x in (rates, limits, again))
    goal = "≥ 3,000" if place.is_sqlite else "≥ 2,000"
    return [
        row(f"push, {size} B an op, 100 a batch, {name}", f"{new:,.0f} ops/s", f"{limit:,.0f} rows/s", f"{new / limit:.3f}", goal),
        row(f"the same batches again, {name}", f"{dup:,.0f} ops/s", f"{new:,.0f} ops/s", f"{dup / new:.1f}", "≥ 5×"),
        row(f"peak memory of the server, {name}", f"{peak:,.0f} MB", goal="< 300 MB"),
    ]


def _race(work: list[tuple[Phone, list[tuple[bytes, list[str]]]]]) -> float:
    """Ops a second. A phone whose batches are not taken ends the measurement: a refusal is quick and would pass for speed."""
    with ThreadPoolExecutor(len(work)) as crowd:
        started = time.perf_counter()
        sent = [crowd.submit(phone.send, [body for body, _ in batches]) for phone, batches in work]
        for one in sent:
            one.result()
    return len(work) * BATCHES * BATCH / (time.perf_counter() - started)


def _raw_sqlite(path: Path, bodies: list[str]) -> float:
    """The same bytes into bare sqlite3, durable, 100 a transaction: rows/s."""
    line = sqlite3.connect(path, isolation_level=None)
    line.execute("PRAGMA journal_mode=WAL")
    line.execute("PRAGMA synchronous=FULL")
    line.execute("CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT)")
    started = time.perf_counter()
    for at in range(0, len(bodies), BATCH):
        line.execute("BEGIN IMMEDIATE")
        line.executemany("INSERT INTO t VALUES (?, ?)", [(f"{at + n}", text) for n, text in enumerate(bodies[at : at + BATCH])])
        line.execute("COMMIT")
    rate = len(bodies) / (time.perf_counter() - started)
    line.close()
    return rate


def _raw_postgres(made: Cluster, bodies: list[str]) -> float:
    """The same bytes into PostgreSQL over one connection, durable, 100 a transaction: rows/s."""
    with psycopg.connect(made.url) as line:
        line.execute("CREATE TABLE IF NOT EXISTS raw_rows (id text PRIMARY KEY, body text)")
        line.execute("TRUNCATE raw_rows")
        line.commit()
        started = time.perf_counter()
        for at in range(0, len(bodies), BATCH):
            with line.cursor() as cursor:
                part = [(f"{at + n}", text) for n, text in enumerate(bodies[at : at + BATCH])]
                cursor.executemany("INSERT INTO raw_rows VALUES (%s, %s)", part)
            line.commit()
        return len(bodies) / (time.perf_counter() - started)


def _storm(place: Place, folder: Path) -> list[dict[str, Any]]:
    """All devices at once until the server has every op and every photo; nobody is killed. Beside it: bare inserts."""
    with serving(place) as server:
        phones = crowd(place, server.port, STORM_PHONES, STORM_OPS, 1)
        bodies = [kept["body"] for phone in phones for kept in phone.state["outbox"]]
        asyncio.run(storm(phones))
        peak = peak_memory(server.workers[0].pid)
    assert sum(len(phone.acks) for phone in phones) == STORM_PHONES * STORM_OPS
    statuses = sum((phone.statuses for phone in phones), Counter[str]())
    assert {s for s in statuses if s.startswith("5")} <= {"503"}, statuses
    took, waits = max(phone.waits["all"] for phone in phones), [phone.waits["ops"] for phone in phones]
    limit, longest, middle = len(bodies) / _raw_sqlite(folder / "storm-raw.db", bodies), max(waits), statistics.median(waits)
    return [
        row(f"storm, {STORM_PHONES} × ({STORM_OPS} ops + photo), SQLite", f"{took:.1f} s", f"{limit:.1f} s", f"{took / limit:.0f}", "< 30 s"),
        row("storm: longest wait for custody of the ops", f"{longest:.1f} s", f"{middle:.1f} s", f"{longest / middle:.1f}", "< 10 ×"),
        row("peak memory of the server, storm", f"{peak:,.0f} MB", goal="< 300 MB"),
    ]


def peak_memory(pid: int) -> float:
    """The most that a process has ever held, MB."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
