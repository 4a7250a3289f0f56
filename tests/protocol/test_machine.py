"""The model as a state machine: faults, clones, restores, compaction, scope changes; then peace, then
the laws I1–I5, I8.

The read-your-writes law (I4) is checked after every step.
"""

import copy
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.protocol.device import Device
from tests.protocol.memory_server import MemoryServer, Refusal

BUCKETS = ["district:1", "district:2", "team:3"]
ENTITIES = [f"e{n}" for n in range(5)]
PUSH_FAULTS = st.sampled_from([None, None, None, "drop_request", "lose_response", "crash", "duplicate"])
PULL_FAULTS = st.sampled_from([None, None, None, "drop_request", "lose_response"])
WHO = st.integers(0, 3)


class Field(RuleBasedStateMachine):
    """Up to three devices of one person, one server, a desk."""

    def __init__(self) -> None:
        super().__init__()
        Device.made = 0
        self.server = MemoryServer()
        self.server.scope.add(BUCKETS[0])
        self.devices = [Device(self.server)]
        self.ops: dict[str, str] = {}
        self.desk_tags = 0

    def device(self, n: int) -> Device:
        return self.devices[n % len(self.devices)]

    @rule(n=WHO, ent=st.sampled_from(ENTITIES))
    def edit(self, n: int, ent: str) -> None:
        if f"thing:{ent}" in self.device(n).state["base"]:
            self.ops[self.device(n).act("thing.note", ent)] = ent

    @rule(n=WHO)
    def edit_own_unsent(self, n: int) -> None:
        waiting = self.device(n).state["outbox"]
        if waiting:
            ent = waiting[-1]["ent"].removeprefix("thing:")
            self.ops[self.device(n).act("thing.note", ent)] = ent

    @rule(n=WHO, bucket=st.sampled_from(BUCKETS))
    def create(self, n: int, bucket: str) -> None:
        ent = f"n{len(self.ops)}"
        self.ops[self.device(n).act("thing.create", ent, bucket)] = ent

    @rule(n=WHO, fault=PUSH_FAULTS)
    def push(self, n: int, fault: str | None) -> None:
        self.device(n).push(self.server, fault)

    @rule(n=WHO, k=st.integers(0, 20))
    def late_duplicate(self, n: int, k: int) -> None:
        sent = self.device(n).sent
        if sent:
            try:
                self.server.push(copy.deepcopy(sent[k % len(sent)]))
            except Refusal as refusal:
                assert refusal.code in ("epoch_changed", "replica_forked")

    @rule(n=WHO, fault=PULL_FAULTS)
    def pull(self, n: int, fault: str | None) -> None:
        self.device(n).pull(self.server, fault)

    @rule(n=WHO)
    def pull_all(self, n: int) -> None:
        for _ in range(30):
            if self.device(n).pull(self.server):
                return

    @rule(
        ent=st.sampled_from(ENTITIES),
        bucket=st.sampled_from(BUCKETS),
        what=st.sampled_from(["create", "move"]),
    )
    def desk_place(self, ent: str, bucket: str, what: str) -> None:
        self.server.desk([(what, ent, bucket)])

    @rule(ents=st.lists(st.sampled_from(ENTITIES), min_size=1, max_size=5, unique=True))
    def desk_append(self, ents: list[str]) -> None:
        self.desk_tags += 1
        self.server.desk([("append", ent, f"desk-{self.desk_tags}-{ent}") for ent in ents])

    @rule(ent=st.sampled_from(ENTITIES))
    def desk_delete(self, ent: str) -> None:
        self.server.desk([("delete", ent, "")])

    @rule(bucket=st.sampled_from(BUCKETS), is_on=st.booleans())
    def scope(self, bucket: str, is_on: bool) -> None:
        (self.server.scope.add if is_on else self.server.scope.discard)(bucket)

    @rule(bucket=st.sampled_from(BUCKETS))
    def bundle(self, bucket: str) -> None:
        self.server.bundle(bucket)

    @rule()
    def forget_bundles(self) -> None:
        self.server.bundles.clear()

    @precondition(lambda self: any(device.state["base"] for device in self.devices))
    @rule(n=WHO, k=st.integers(0, 9), how=st.sampled_from(["lose", "older", "newer", "ghost"]))
    def damage(self, n: int, k: int, how: str) -> None:
        """P43: a fault of the device itself: a row lost, one of another version, one that nobody sent."""
        state = self.device(n).state
        if not state["base"]:
            return
        key = sorted(state["base"])[k % len(state["base"])]
        if how == "lose":
            del state["base"][key], state["memb"][key]
        elif how == "ghost":
            ghost = {"data": [], "ver": 1, "as_of": 0, "epoch": state["epoch"]}
            state["base"]["thing:ghost"], state["memb"]["thing:ghost"] = ghost, list(state["memb"][key])
        else:
            state["base"][key] = {**state["base"][key], "ver": state["base"][key]["ver"] + (7 if how == "newer" else -1)}
        self.device(n).is_damaged = True

    @rule()
    def compact(self) -> None:
        self.server.compact()

    @rule()
    def backup(self) -> None:
        self.server.backup()

    @rule()
    def restore(self) -> None:
        self.server.restore()

    @precondition(lambda self: len(self.devices) < 3)
    @rule(n=WHO)
    def clone(self, n: int) -> None:
        self.devices.append(self.device(n).clone())

    @invariant()
    def every_own_op_is_seen_exactly_once(self) -> None:
        for device in self.devices:
            state = device.state
            own = state["outbox"] + [k for k in state["acked"] if k["status"] == "applied"]
            for kept in own:
                view = device.view(kept["ent"].removeprefix("thing:"))
                assert view is None or view.count(kept["op"]) == 1, (kept["op"], view)

    def teardown(self) -> None:
        for _ in range(4):
            for device in self.devices:
                device.settle(self.server)
        log: dict[str, Any] = self.server.data["log"]
        assert set(self.ops) <= set(log), "an op was lost"
        numbers = [(kept["replica"], kept["seq"]) for kept in log.values()]
        assert len(numbers) == len(set(numbers)), "two ops at one place of one log"
        for ent, entity in self.server.data["entities"].items():
            applied = [op for op, kept in log.items() if kept["status"] == "applied" and self.ops[op] == ent]
            own = [tag for tag in entity["tags"] if tag.startswith("op-")]
            assert sorted(own) == sorted(applied), "an effect is missing or doubled"
        truth = {f"thing:{ent}": e["tags"] for ent, e in self.server.data["entities"].items()
                 if not e["gone"] and e["bucket"] in self.server.scope}  # fmt: skip
        for device in self.devices:
            assert not device.state["outbox"], "an op is stuck"
            assert not device.state["doubts"], "a difference was not healed"
            assert {key: row["data"] for key, row in device.state["base"].items()} == truth, (
                "a device diverged"
            )


TestField = Field.TestCase
TestField.settings = settings(
    max_examples=int(os.environ.get("HUYUAN_EXAMPLES", "150")), stateful_step_count=40, deadline=None,
    database=None, suppress_health_check=list(HealthCheck),
)  # fmt: skip
