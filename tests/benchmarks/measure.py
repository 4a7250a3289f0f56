"""The measurements: push through HTTP, an inspector's bootstrap, the city ledger. No assertions."""

import gzip
import http.client
import json
import random
import secrets
import sqlite3
import statistics
import threading
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from backend.access.scope import SYSTEM
from backend.cli import setup
from backend.database import snapshot, transaction
from backend.ledgers import queries as ledgers
from backend.ops.apply import now_utc
from backend.problems.models import Problem
from backend.territory import queries as territory
from sync_protocol.identity import GENESIS, chain_head, fingerprint, uuid7
from tests.benchmarks import pulling
from tests.benchmarks.table import row
from tests.journeys.stage import Stage, stage

BATCH, BATCHES, PHONES, RUNS = 100, 6, 4, 3


def everything(folder: Path) -> list[dict[str, Any]]:
    """All benchmarks, on one fresh SQLite server."""
    with stage(folder / "server") as made:
        return [*pulling.everything(made), *push(made, folder), memory(made), *ledger(made)]


class Phone:
    """Ready-made batches of one replica, sent over one connection."""

    def __init__(self, made: Stage, name: str, sites: list[str], codes: list[str]) -> None:
        client = made.device("ins1", name)
        state = client.store.state()
        self.headers, self.port = {**client.transport.headers(), "Content-Encoding": "gzip"}, made.server.port
        self.replica, self.epoch, self.seq, self.head = state["replica"], state["epoch"], 1, GENESIS
        self.sites, self.codes, self.dice = sites, codes, random.Random(name)
        client.close()

    def body(self) -> str:
        """One checklist of 20 answers, about 1.6 kB; one in twenty has a failed item."""
        answers = dict.fromkeys(self.codes[:20], "pass")
        if self.dice.random() < 0.05:
            answers[self.dice.choice(self.codes[:20])] = "fail"
        site = self.dice.choice(self.sites)
        args = {"task_id": f"s1:{site}:campus-perimeter", "site_id": site, "programme": "campus-perimeter", "template_version": 1,
                "team_id": "t1", "answers": answers, "fix": {"lon": 118.0448, "lat": 36.807, "accuracy_m": 8, "crs": "wgs84"},
                "remarks": dict.fromkeys(self.codes[:10], "现场查看，符合要求，已向值班人员核实并拍照留存")}  # fmt: skip
        op, ent = (uuid7(int(time.time() * 1000), secrets.token_bytes(10)) for _ in range(2))
        return json.dumps({"op": op, "verb": "inspection.submit", "v": 1, "actor": "u-ins1", "ent": {"t": "inspection", "id": ent},
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

    def send(self, batches: list[bytes]) -> None:
        """Send batches one after the other; every op must be applied (or a duplicate)."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for body in batches:
            line.request("POST", "/sync/v1/push", body, self.headers)
            answer = json.loads(line.getresponse().read())
            assert len(answer["results"]) == BATCH, answer
        line.close()


def push(made: Stage, folder: Path) -> list[dict[str, Any]]:
    """Batches of 100 through HTTP from PHONES connections; then the same again as duplicates; raw inserts beside."""
    with made.app.app_context(), snapshot() as session:
        sites = [s.id for s in territory.sites_of_kinds(session, SYSTEM, ("school",)) if s.district_id in ("370302", "370303")]
    codes = [f"A{n}" for n in (*range(101, 110), *range(201, 214))]
    rates, again, raw, size = [], [], [], 0
    for run in range(RUNS):
        phones = [Phone(made, f"push{run}-{n}", sites, codes) for n in range(PHONES)]
        work = [(phone, [phone.batch() for _ in range(BATCHES)]) for phone in phones]
        bodies = [text for _, batches in work for _, texts in batches for text in texts]
        size = round(statistics.mean(len(text.encode()) for text in bodies))
        rates.append(_race(work))
        again.append(_race(work))
        raw.append(_raw(folder / f"raw{run}.db", bodies))
    best, limit, dup = (statistics.median(x) for x in (rates, raw, again))
    return [
        row(f"push, ops of {size} B, 100 a batch", f"{best:,.0f} ops/s", f"{limit:,.0f} rows/s", f"{best / limit:.3f}", "≥ 1,500"),
        row("the same batches again (duplicates)", f"{dup:,.0f} ops/s", f"{best:,.0f} ops/s", f"{dup / best:.1f}", "≥ 5×"),
    ]


def _race(work: list[tuple[Phone, list[tuple[bytes, list[str]]]]]) -> float:
    threads = [threading.Thread(target=phone.send, args=([body for body, _ in batches],)) for phone, batches in work]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(work) * BATCHES * BATCH / (time.perf_counter() - started)


def _raw(path: Path, bodies: list[str]) -> float:
    """The same bytes into bare sqlite3, durable, 100 a transaction."""
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


def memory(made: Stage) -> dict[str, Any]:
    """Peak memory of the server's processes after the push."""
    peak = 0
    for child in Path("/proc").glob("[0-9]*/status"):
        try:
            text = child.read_text()
        except OSError:
            continue  # it ended meanwhile
        if f"PPid:\t{made.server.process.pid}\n" in text:
            peak = max(peak, int(text.split("VmHWM:")[1].split()[0]))
    return row("peak memory of the server process", f"{peak / 1024:,.0f} MB", goal="< 300 MB")


def ledger(made: Stage, count: int = 100_000) -> list[dict[str, Any]]:
    """Roll-up of the city over `count` problems, beside the bare GROUP BY."""
    dice = random.Random(7)
    with made.app.app_context():
        with snapshot() as session:
            sites = territory.sites_of_kinds(session, SYSTEM, ("school", "hazard_site"))
            facts = [(s.id, s.district_id, s.township_id, s.area_path) for s in sites]
        with transaction() as session:
            session.execute(insert(Problem), [_problem(n, dice, *dice.choice(facts)) for n in range(count)])
        times, bare = [], []
        for _ in range(RUNS):
            with snapshot() as session:
                started = time.perf_counter()
                ledgers.rollup(session, SYSTEM, setup.SAMPLE_USERS[0][3], date.today())
                times.append(time.perf_counter() - started)
                started = time.perf_counter()
                session.execute(select(Problem.district_id, Problem.grade, func.count()).group_by(Problem.district_id, Problem.grade)).all()
                bare.append(time.perf_counter() - started)
    made_s, bare_s = statistics.median(times), statistics.median(bare)
    return [row(f"city ledger over {count:,} problems", f"{made_s:.3f} s", f"{bare_s:.3f} s", f"{made_s / bare_s:.1f}", "< 1 s")]


def _problem(n: int, dice: random.Random, site: str, district: str, township: str, path: str) -> dict[str, Any]:
    now = now_utc()
    is_open = dice.random() < 0.6
    return {
        "id": f"b-{n}", "number": f"B-{n}", "programme": "campus-perimeter", "template_version": 1, "item": f"A{dice.randrange(101, 110)}",
        "category": "traffic", "grade": "major" if dice.random() < 0.05 else "general", "state": "assigned" if is_open else "closed",
        "is_open": is_open, "site_id": site, "district_id": district, "township_id": township, "area_path": path, "description": "",
        "department_id": dice.choice(["police", "urban", "market"]), "found_at": now, "received_at": now, "deadline_class": "ordinary",
        "due_on": date.today() + timedelta(days=dice.randrange(-20, 20)), "deadline_reason": {}, "ver": 1,
    }  # fmt: skip
