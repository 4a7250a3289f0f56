"""The measurements of pulling: an inspector's bootstrap in each coding, a pull with nothing new, a delta. No assertions."""

import http.client
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.ops.apply import submit
from backend.sweeps import queries as sweeps
from backend.territory import queries as territory
from sync_protocol.client.codings import unpack
from tests.benchmarks.table import row
from tests.faults.phones import CODES
from tests.journeys.stage import Stage

RUNS, ASKED = 3, 30
DELTA_ROWS = 1000
MOST_BYTES = 10**8


def everything(made: Stage) -> list[dict[str, Any]]:
    """All measurements of pulling, on a server with the demo city and one inspector of two districts."""
    return [*bootstrap(made), *later(made)]


class Puller:
    """An enrolled device that only asks: one connection, bytes counted as they came over the wire."""

    def __init__(self, made: Stage, name: str, schema: int, coding: str) -> None:
        client = made.device("ins1", name)
        self.headers = {**client.transport.headers(), "Accept-Encoding": coding}
        self.line = http.client.HTTPConnection("127.0.0.1", made.server.port)
        self.schema, self.bytes = schema, 0
        client.close()

    def ask(self, method: str, path: str, body: str | None = None) -> bytes:
        """One exchange; returns the body without its coding."""
        self.line.request(method, path, body, self.headers)
        answer = self.line.getresponse()
        data = answer.read()
        assert answer.status == 200, (answer.status, data)
        self.bytes += len(data)
        return unpack(answer.headers.get("Content-Encoding", "identity"), data, MOST_BYTES)

    def page(self, cursor: str | None) -> Any:
        """One page."""
        request = {"proto": 1, "schema": self.schema, "cursor": cursor, "limit": 500}
        return json.loads(self.ask("POST", "/sync/v1/pull", json.dumps(request)))


def bootstrap(made: Stage) -> list[dict[str, Any]]:
    """Everything one inspector of two districts needs, from nothing: tasks, sites with outlines, templates."""
    found = []
    for what, schema, coding in (("rows, gzip (schema 1)", 1, "gzip"), ("tables, gzip", 2, "gzip"), ("tables, zstd", 2, "zstd")):
        sizes, times = [], []
        for n in range(RUNS):
            phone = Puller(made, f"boot-{schema}-{coding}-{n}", schema, coding)
            started, cursor, is_over = time.perf_counter(), None, False
            while not is_over:
                page = phone.page(cursor)
                cursor, is_over = page["cursor"], page["complete"]
            times.append(time.perf_counter() - started)
            sizes.append(phone.bytes)
            phone.line.close()
        goal = "-" if schema == 1 else "≤ 40,000 B"
        found.append(row(f"bootstrap: {what}", f"{statistics.median(sizes):,.0f} B", goal=goal))
        found.append(row(f"bootstrap: {what}, time", f"{statistics.median(times):.3f} s", goal="< 0.3 s"))
    return found


def later(made: Stage) -> list[dict[str, Any]]:
    """What a device that is up to date pays: for nothing, and for DELTA_ROWS rows that were new since its last pull."""
    phone = Puller(made, "later", 2, "gzip")
    cursor, is_over = None, False
    while not is_over:
        page = phone.page(cursor)
        cursor, is_over = page["cursor"], page["complete"]
    empty = [_timed(lambda: phone.page(cursor)) for _ in range(ASKED)]
    hello = [_timed(lambda: phone.ask("GET", "/sync/v1/hello")) for _ in range(ASKED)]
    _report(made, DELTA_ROWS)
    times, rows, pages = [], 0, 0
    for _ in range(ASKED // RUNS):
        started, at, is_over, rows, pages = time.perf_counter(), cursor, False, 0, 0
        while not is_over:
            page = phone.page(at)
            at, is_over, pages = page["cursor"], page["complete"], pages + 1
            rows += len(page["rows"]) + sum(table["n"] for table in page.get("tables", ()))
        times.append(time.perf_counter() - started)
    phone.line.close()
    nothing, least, whole = (statistics.median(x) * 1000 for x in (empty, hello, times))
    return [
        row("pull with nothing new", f"{nothing:.1f} ms", f"{least:.1f} ms", f"{nothing / least:.1f}", "< 5 ms"),
        row(f"delta of {rows:,} rows in {pages} pages", f"{whole:.0f} ms", f"{least * pages:.1f} ms", f"{whole / least / pages:.0f}", "< 100 ms"),
    ]


def _timed(step: Callable[[], Any]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def _report(made: Stage, count: int) -> None:
    """`count` checklists of the inspector's own team come in: so many rows are new to every device of that team."""
    with made.app.app_context():
        with snapshot() as session:
            sites = [s.id for s in territory.sites_of_kinds(session, SYSTEM, ("school",)) if s.district_id in ("370302", "370303")]
            actor = sweeps.field_actor(session, "u-ins1")
        assert actor is not None
        for n in range(count):
            args = {"task_id": None, "site_id": sites[n % len(sites)], "programme": "campus-perimeter", "template_version": 1,
                    "team_id": "t1", "answers": dict.fromkeys(CODES[:20], "pass")}  # fmt: skip
            submit("inspection.submit", args, actor, ent=("inspection", f"delta-{n}"))
