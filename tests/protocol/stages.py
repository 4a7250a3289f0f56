"""One trace on several servers: the model in memory and the real one are played by the same words and say what they hold in the same
words. Asserts nothing.

A thing of the model is a problem of the real server: made by a checklist with one failed item of one site, changed by notes.
"""

import itertools
import json
import uuid
from typing import Any

from sqlalchemy import select

from backend.feed.models import FeedRow
from backend.ops.models import LoggedOp
from backend.problems.models import Problem
from sync_protocol import replica
from tests.protocol.device import Device
from tests.protocol.memory_server import MemoryServer
from tests.protocol.real_device import RealDevice
from tests.protocol.real_server import DISTRICTS, RealServer, small_city

MOST_NOTES = 10  # of a problem's row
SITES = {site["id"]: site["district_id"] for site in small_city()["sites"]}
THINGS = [f"{site}-{item}" for site, item in itertools.product(SITES, ("A101", "A102"))]
Said = dict[str, Any]


def district(thing: str) -> str:
    """Where a thing lies."""
    return SITES[thing.rpartition("-")[0]]


class Stage:
    """Devices of one person and a server. `ops` counts what was recorded, so that ids are the same on every stage."""

    def __init__(self, server: Any, device: Any) -> None:
        self.server, self.devices, self.count = server, [device], 0
        for one in DISTRICTS:
            self.place(one, True)
        self.backup()

    def name(self) -> str:
        """The next op id."""
        self.count += 1
        return str(uuid.UUID(int=self.count))

    def device(self, n: int) -> Any:
        """One of the phones."""
        return self.devices[n % len(self.devices)]

    def play(self, verb: str, *given: Any) -> Said | None:
        """One step of a trace; what is to be seen after it, where it ends in a device that has everything."""
        return getattr(self, verb)(*given)

    def push(self, n: int, fault: str | None) -> None:
        self.device(n).push(self.server, fault)

    def pull(self, n: int) -> None:
        self.device(n).pull(self.server)

    def clone(self, n: int) -> None:
        if len(self.devices) < 3:
            self.devices.append(self.device(n).clone())

    def compact(self) -> None:
        self.server.compact()

    def backup(self) -> None:
        self.server.backup()

    def restore(self) -> None:
        self.server.restore()

    def settle(self, n: int) -> Said:
        one = self.device(n)
        one.settle(self.server)
        state = one.state
        parked = sorted(kept["op"] for kept in state["acked"] if kept["status"] == "parked")  # the others go when a pull says so
        return {"outbox": [kept["op"] for kept in state["outbox"]], "parked": parked, "view": self.view(one), **self.held()}

    def place(self, area: str, is_on: bool) -> None:
        raise NotImplementedError

    def view(self, one: Any) -> Said:
        raise NotImplementedError

    def held(self) -> Said:
        raise NotImplementedError


class ModelStage(Stage):
    """The model: pure rules over a dict."""

    def __init__(self) -> None:
        server = MemoryServer()
        super().__init__(server, Device(server))

    def backup(self) -> None:
        self.server.backup()
        self._scope = set(self.server.scope)  # who may see what is of the record, and the model has it beside

    def restore(self) -> None:
        self.server.restore()
        self.server.scope = set(self._scope)

    def _record(self, n: int, verb: str, thing: str) -> None:
        op = self.name()
        body = {"op": op, "verb": verb, "ent": {"t": "thing", "id": thing}, "args": {"bucket": f"district:{district(thing)}"}}
        replica.record(self.device(n).state, op, json.dumps(body), f"thing:{thing}")

    def create(self, n: int, thing: str) -> None:
        self._record(n, "thing.create", thing)

    def note(self, n: int, thing: str) -> None:
        if f"thing:{thing}" in self.device(n).state["base"]:
            self._record(n, "thing.note", thing)

    def words(self, thing: str) -> None:
        self.server.desk([("append", thing, self.name())])

    def delete(self, thing: str) -> None:
        self.server.desk([("delete", thing, self.name())])

    def place(self, area: str, is_on: bool) -> None:
        wanted = self.server.scope | {f"district:{area}"} if is_on else self.server.scope - {f"district:{area}"}
        self.server.scope = wanted or self.server.scope

    def view(self, one: Any) -> Said:
        there = one.state["base"].items()
        return {key.partition(":")[2]: (row["data"][1:][-MOST_NOTES:], sorted(one.state["memb"][key])) for key, row in there}

    def held(self) -> Said:
        data = self.server.data
        feed = sorted((bucket, thing) for (bucket, thing), (_, _, op) in data["feed"].items() if op == "put")
        return {"statuses": {op: kept["status"] for op, kept in data["log"].items()}, "feed": feed}


PAGES = 20


class RealStage(Stage):
    """The real server on one of its databases."""

    def __init__(self, server: RealServer) -> None:
        server.reset()
        super().__init__(server, RealDevice(server))

    def pull(self, n: int) -> None:
        """The model's page holds everything; here it takes several, and bundles."""
        for _ in range(PAGES):
            if self.device(n).pull(self.server):
                return

    def create(self, n: int, thing: str) -> None:
        site, _, item = thing.rpartition("-")
        args = {"task_id": f"s1:{site}:campus-perimeter", "site_id": site, "programme": "campus-perimeter", "template_version": 1,
                "team_id": "t1", "answers": {item: "fail"}}  # fmt: skip
        self._record(n, "inspection.submit", ("inspection", f"i-{thing}"), args, thing)

    def note(self, n: int, thing: str) -> None:
        if f"problem:{problem(thing)}" in self.device(n).state["base"]:
            self._record(n, "problem.note", ("problem", problem(thing)), {"text": "一句话"}, thing)

    def _record(self, n: int, verb: str, ent: tuple[str, str], args: Said, thing: str) -> None:
        self.device(n).record(verb, ent, args, f"problem:{problem(thing)}", op=self.name())

    def words(self, thing: str) -> None:
        self.server.desk("problem.note", ("problem", problem(thing)), {"text": "督导员留言"}, self.name())

    def delete(self, thing: str) -> None:
        ver = self.server.look(lambda s: s.execute(select(Problem.ver).where(Problem.id == problem(thing))).scalar())
        args = {"action": "delete", "note": "重复登记（示例）"}
        self.server.desk("problem.act", ("problem", problem(thing)), args, self.name(), {"ver": ver or 0})

    def place(self, area: str, is_on: bool) -> None:
        self.server.scope(area, is_on)

    def view(self, one: Any) -> Said:
        rows = {key: row["data"] for key, row in one.state["base"].items() if key.startswith("problem:")}
        return {thing_of(key): ([n["op"] for n in data["notes"]], sorted(one.state["memb"][key])) for key, data in rows.items()}

    def held(self) -> Said:
        mine = {str(uuid.UUID(int=n)) for n in range(1, self.count + 1)}
        logged = self.server.look(lambda s: [(r.op_id, r.status) for r in s.scalars(select(LoggedOp)) if r.replica])
        members = select(FeedRow.bucket, FeedRow.id).where(FeedRow.is_member, FeedRow.type == "problem")
        feed = self.server.look(lambda s: sorted((b, thing_of(i)) for b, i in s.execute(members) if b.startswith("district:")))
        return {"statuses": {op: status for op, status in logged if op in mine}, "feed": feed}


def problem(thing: str) -> str:
    """The id of the problem that a thing is on the real server."""
    return f"p-i-{thing}:{thing.rpartition('-')[2]}"


def thing_of(key: str) -> str:
    """The thing of a row's key or id."""
    return key.removeprefix("problem:").removeprefix("p-i-").rpartition(":")[0]
