"""The measurements of pulling: an inspector's bootstrap in each coding. No assertions."""

import http.client
import json
import statistics
import time
from typing import Any

from sync_protocol.client.codings import unpack
from tests.benchmarks.table import row
from tests.journeys.stage import Stage

RUNS = 3
MOST_BYTES = 10**8


def everything(made: Stage) -> list[dict[str, Any]]:
    """All measurements of pulling, on a server with the demo city and one inspector of two districts."""
    return bootstrap(made)


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
