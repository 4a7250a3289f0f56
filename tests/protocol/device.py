"""A device in memory: the pure rules of `sync_protocol.replica` over a plain dict, and a faulty line to
a server.

No HTTP. A fault happens between the server and the device, or inside the device before its one local
transaction.
"""

import copy
import json
from collections.abc import Iterable
from typing import Any, Self

from sync_protocol import doubts, filling, history, replica
from sync_protocol.limits import MAX_UNACKED
from tests.protocol.memory_server import Crashed, MemoryServer, Refusal


class Device:
    """One installation (示例). `made` counts op ids over all devices of a test."""

    made = 0

    def __init__(self, server: MemoryServer) -> None:
        registered = server.register()
        self.state = replica.fresh(registered["replica"], registered["epoch"])
        self.sent: list[dict[str, Any]] = []
        self.is_damaged = False

    def clone(self) -> Self:
        """The same database on a second phone."""
        twin = object.__new__(type(self))
        twin.state, twin.sent, twin.is_damaged = copy.deepcopy(self.state), [], self.is_damaged
        return twin

    def act(self, verb: str, ent: str, bucket: str = "") -> str:
        """Record one op."""
        Device.made += 1
        op_id = f"op-{Device.made:06}"
        body = {"op": op_id, "verb": verb, "ent": {"t": "thing", "id": ent}, "args": {"bucket": bucket}}
        replica.record(self.state, op_id, json.dumps(body), f"thing:{ent}")
        return op_id

    def push(self, server: MemoryServer, fault: str | None = None, limit: int = 3) -> None:
        """One push under `fault`: drop_request, crash, lose_response, duplicate or None."""
        ops = replica.wire(self.state, limit)
        if not ops or fault == "drop_request":
            return
        request = {"epoch": self.state["epoch"], "replica": self.state["replica"], "ops": ops}
        self.sent.append(copy.deepcopy(request))
        try:
            answer = server.push(copy.deepcopy(request), crash=fault == "crash")
            if fault == "duplicate":
                answer = server.push(copy.deepcopy(request))
        except Crashed:
            return
        except Refusal as refusal:
            if fault != "lose_response":
                self._heal(server, refusal)
            return
        if fault == "lose_response":
            return
        if history.is_behind(self.state, history.new_clocks(self.state, answer["results"])):
            history.distrust(self.state)
        else:
            replica.take_acks(self.state, answer["results"], answer["durable_seq"])

    def pull(self, server: MemoryServer, fault: str | None = None) -> bool:
        """One page, or one bundle if one is on offer, under `fault`: drop_request, lose_response (nothing is taken)
        or None; whether it was the last."""
        if fault is not None:
            return False
        if self.state["offers"]:
            self._fetch(server, self.state["offers"][0])
            return False
        try:
            request = self.pull_request()
            page = server.pull(request)
        except Refusal as refusal:
            self._heal(server, refusal)
            return False
        if page["epoch"] != self.state["epoch"]:
            self._heal(server, Refusal("epoch_changed"))
            return False
        if history.is_behind(self.state, [page["as_of"]]):
            history.distrust(self.state)
            return False
        return self.take(page, request["unacked"])

    def take(self, page: dict[str, Any], asked: Iterable[str] = ()) -> bool:
        """Take a page; whether the view is complete. Two sides that follow the rules then hold the same (P43)."""
        is_over = replica.take_page(self.state, page, asked)
        assert self.is_damaged or not self.state["doubts"], f"they differ: {self.state['doubts']}"
        return is_over

    def pull_request(self) -> dict[str, Any]:
        """What the next pull says."""
        return {"cursor": self.state["cursor"], "resetting": replica.resetting(self.state), "replica": self.state["replica"],
                "unacked": replica.unacked(self.state, MAX_UNACKED), "taken": self.state["taken"],
                "accept_bundles": filling.may_bundle(self.state), "mismatched": doubts.mismatched(self.state)}  # fmt: skip

    def _fetch(self, server: MemoryServer, offer: dict[str, Any]) -> None:
        try:
            found = server.fetch(offer["id"])
        except Refusal:
            filling.refuse_bundle(self.state)
            return
        filling.take_bundle(self.state, offer["id"], copy.deepcopy(found))

    def _heal(self, server: MemoryServer, refusal: Refusal) -> None:
        if refusal.code == "cursor_invalid":
            replica.start_over(self.state)
            return
        registered = server.register(self.state["cursor"])
        replica.adopt(self.state, registered["replica"], registered["epoch"])

    def settle(self, server: MemoryServer) -> None:
        """Push and pull without faults until nothing is left to do."""
        for _ in range(60):
            self.push(server, limit=50)
            if self.pull(server) and not self.state["outbox"]:
                return

    def view(self, ent: str) -> list[str] | None:
        """What the person sees of an entity: the server's row and the own ops it does not hold yet."""
        row = self.state["base"].get(f"thing:{ent}")
        return None if row is None else [*row["data"], *replica.overlay(self.state, f"thing:{ent}")]
