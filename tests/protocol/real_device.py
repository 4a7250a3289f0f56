"""A device for the real server: the pure rules over a plain dict, ops of the field, a faulty line. No HTTP of its own."""

import copy
import json
import uuid
from typing import Any, ClassVar

from sync_protocol import history, replica
from tests.protocol.device import Device
from tests.protocol.memory_server import Refusal
from tests.protocol.real_server import RealServer

ITEM = "A101"


class RealDevice(Device):
    """One installation of the person."""

    nameless: ClassVar[set[str]] = set()  # ops whose effect has no name of its own in the row: steps, edits

    def __init__(self, server: RealServer) -> None:
        registered = server.register()
        self.state = replica.fresh(registered["replica"], registered["epoch"])
        self.sent: list[dict[str, Any]] = []
        self.is_damaged = False

    def record(self, verb: str, ent: tuple[str, str], args: dict[str, Any], key: str, op: str | None = None,
               base: dict[str, Any] | None = None) -> str:  # fmt: skip
        """One op; `key` is the row on which its effect will be seen."""
        op = op or str(uuid.uuid4())
        body = {"op": op, "verb": verb, "v": 1, "actor": "u-ins1", "ent": {"t": ent[0], "id": ent[1]}, "args": args, "base": base,
                "at": {"wall": "2026-11-24T08:00:00+08:00", "mono": 1, "boot": "b"}}  # fmt: skip
        replica.record(self.state, op, json.dumps(body, ensure_ascii=False, separators=(",", ":")), key)
        return op

    def inspect(self, site: str, failed: bool) -> str:
        """A checklist of one answer; its own row is the inspection's."""
        name = str(uuid.uuid4())
        args = {"task_id": f"s1:{site}:campus-perimeter", "site_id": site, "programme": "campus-perimeter", "template_version": 1,
                "team_id": "t1", "answers": {ITEM: "fail" if failed else "pass"}}  # fmt: skip
        return self.record("inspection.submit", ("inspection", name), args, f"inspection:{name}")

    def note(self, problem: str, text: str) -> str:
        """Words on a problem, seen in its row's notes."""
        return self.record("problem.note", ("problem", problem), {"text": text}, f"problem:{problem}")

    def step(self, problem: str, what: str, text: str) -> str:
        """An intent (an action of problem.act) or an `edit` of two fields, by what this phone holds of the problem."""
        row = self.state["base"][f"problem:{problem}"]
        seen = {name: {"was": row["data"].get(name), "now": text} for name in ("description", "spot")}
        verb, args = ("problem.edit", {"set": seen}) if what == "edit" else ("problem.act", {"action": what, "note": text})
        op = self.record(verb, ("problem", problem), args, f"problem:{problem}", base={"ver": row["ver"]})
        self.nameless.add(op)
        return op

    def problems(self) -> list[str]:
        """Ids of the problems on the device."""
        return sorted(key.partition(":")[2] for key in self.state["base"] if key.startswith("problem:"))

    def pull(self, server: Any, fault: str | None = None) -> bool:
        """One page, or one bundle if one is on offer, under `fault`: drop_request, lose_response (nothing is taken) or None; whether it was the last."""
        if fault == "drop_request":
            return False
        if self.state["offers"]:
            if fault is None:
                self._fetch(server, self.state["offers"][0])
            return False
        try:
            request = self.pull_request()
            page = server.pull(request)
        except Refusal as refusal:
            self._heal(server, refusal)
            return False
        if fault == "lose_response":
            return False
        if page["epoch"] != self.state["epoch"]:
            self._heal(server, Refusal("epoch_changed"))
            return False
        if history.is_behind(self.state, [page["as_of"]]):
            history.distrust(self.state)
            return False
        return self.take(copy.deepcopy(page), request["unacked"])

    def seen(self, kept: dict[str, Any]) -> int | None:
        """How often an own op is visible now: in its row, and laid over it; None where its row is not on the device."""
        if kept["op"] in self.nameless:
            return None
        kind, _, name = kept["ent"].partition(":")
        row = self.state["base"].get(kept["ent"])
        over = replica.overlay(self.state, kept["ent"]).count(kept["op"])
        if row is None:
            return None if over <= 1 else over
        inside = 1 if kind == "inspection" else sum(n["op"] == kept["op"] for n in row["data"]["notes"])
        return inside + over

    def restart(self) -> None:
        """The process ends and another one reads what is on the disk."""
        self.state = json.loads(json.dumps(self.state))

    def pull_at_once(self, server: Any) -> None:
        """The whole view in one page, without bundles: what no stop on the way can have altered."""
        assert self.take(server.pull({**self.pull_request(), "limit": 500, "accept_bundles": False})), "more than one page"

    def settle(self, server: Any) -> None:
        """Push and pull without faults until nothing is left to do; after each step the process is another one."""
        for _ in range(80):
            self.restart()
            self.push(server, limit=50)
            if self.pull(server) and not self.state["outbox"]:
                return
