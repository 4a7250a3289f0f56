"""The real server under the state machine: faults, clones, restores, compaction, scope that changes; then peace, and the laws.

Read-your-writes (I4) is checked after every step; the laws of laws.py when the line is quiet again, and with them two oracles: the log
played again gives the record (replay.py), and views taken page by page, stopped anywhere and gone on with by another process, are
what one page tells at once. HUYUAN_EXAMPLES sets how many histories are played (`make test-full`: 20,000, and 1,000 on
PostgreSQL); the seed is printed by hypothesis where one fails.
"""

import copy
import os
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import update

from backend.database import transaction
from backend.problems.models import Problem
from sync_protocol import replica
from tests.protocol import laws
from tests.protocol.memory_server import Refusal
from tests.protocol.real_device import RealDevice
from tests.protocol.real_server import DISTRICTS, OTHER_TEAM, TEAM, RealServer, small_city

PUSH_FAULTS = st.sampled_from([None, None, None, "drop_request", "lose_response", "crash", "duplicate"])
PULL_FAULTS = st.sampled_from([None, None, None, "drop_request", "lose_response"])
WHO = st.integers(0, 3)
# HUYUAN_SHRINK=0: tell the history that failed as it was, at once
PHASES = tuple(Phase) if os.environ.get("HUYUAN_SHRINK", "1") == "1" else (Phase.generate,)
SITES = [site["id"] for site in small_city()["sites"]]


class RealField(RuleBasedStateMachine):
    """Up to three phones of one person, the server, a desk."""

    server: ClassVar[RealServer]

    def __init__(self) -> None:
        super().__init__()
        self.server.reset()
        self.devices = [RealDevice(self.server)]
        self.ops: list[str] = []

    def device(self, n: int) -> RealDevice:
        return self.devices[n % len(self.devices)]

    @rule(n=WHO, site=st.sampled_from(SITES), failed=st.booleans())
    def inspect(self, n: int, site: str, failed: bool) -> None:
        self.ops.append(self.device(n).inspect(site, failed))

    @rule(n=WHO, k=st.integers(0, 9))
    def note(self, n: int, k: int) -> None:
        there = self.device(n).problems()
        if there:
            self.ops.append(self.device(n).note(there[k % len(there)], f"第 {len(self.ops)} 句"))

    @rule(n=WHO, fault=PUSH_FAULTS, limit=st.sampled_from([1, 3, 50]))
    def push(self, n: int, fault: str | None, limit: int) -> None:
        self.device(n).push(self.server, fault, limit)

    @rule(n=WHO, k=st.integers(0, 20))
    def late_duplicate(self, n: int, k: int) -> None:
        """T2: a request comes again, however late."""
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

    @rule(n=WHO)
    def restart(self, n: int) -> None:
        self.device(n).restart()

    @rule(k=st.integers(0, 9), words=st.booleans())
    def desk(self, k: int, words: bool) -> None:
        there = self.server.look(laws.problem_ids)
        if there:
            ent = ("problem", there[k % len(there)])
            if words:
                self.server.desk("problem.note", ent, {"text": "督导员留言"})
            else:
                self.server.desk("problem.assign", ent, {"department_id": "police"})

    @rule(district=st.sampled_from(DISTRICTS), is_on=st.booleans())
    def scope(self, district: str, is_on: bool) -> None:
        self.server.scope(district, is_on)

    @rule(site=st.sampled_from(SITES))
    def excuse(self, site: str) -> None:
        self.server.desk("task.excuse", ("task", f"s1:{site}:campus-perimeter"), {"note": "校舍停用"})

    @rule(district=st.sampled_from(DISTRICTS), team=st.sampled_from([TEAM, OTHER_TEAM]))
    def move_tasks(self, district: str, team: str) -> None:
        self.server.desk("task.move", ("area", district), {"area": district, "team_id": team})

    @rule()
    def work(self) -> None:
        self.server.work()

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
        """I4."""
        for device in self.devices:
            own = device.state["outbox"] + [k for k in device.state["acked"] if k["status"] == "applied"]
            for kept in own:
                assert device.seen(kept) in (None, 1), (kept["ent"], device.seen(kept))

    def teardown(self) -> None:
        for settle_again in (self.server.work, lambda: None):
            for device in self.devices:
                device.settle(self.server)
            settle_again()
        assert all(not device.state["outbox"] for device in self.devices), "an op is stuck"
        fresh = RealDevice(self.server)
        fresh.settle(self.server)
        at_once = RealDevice(self.server)
        at_once.pull_at_once(self.server)
        laws.same_view(at_once.state, fresh.state)
        for law in laws.LAWS:
            law(self.server, self.ops)
        if self.server.is_sqlite or self.server.histories % 4 == 0:  # another database of PostgreSQL costs more than the history
            laws.the_log_gives_the_record(self.server)
        for device in self.devices:
            laws.same_view(device.state, fresh.state)
            laws.within_scope(self.server, device.state)
            assert not set(replica.unacked(device.state, 200)) - laws.held(self.server), "a decided op is still asked about"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """On SQLite; test_real_machine_on_postgres.py plays the same on PostgreSQL."""
    made = RealServer(tmp_path_factory.mktemp("machine"))
    yield made
    made.close()


def examples(server: RealServer) -> int:
    """500 on SQLite and 40 on PostgreSQL, where databases cost more than histories; of HUYUAN_EXAMPLES PostgreSQL has a twentieth."""
    given = os.environ.get("HUYUAN_EXAMPLES")
    if given is None:
        return 500 if server.is_sqlite else 40
    return int(given) if server.is_sqlite else max(1, int(given) // 20)


def test_whatever_happens_on_the_line_the_laws_hold_when_it_is_quiet(server: RealServer) -> None:
    """I1–I6, I8, I9, I11, I12, I14, I21."""
    RealField.server = server
    run_state_machine_as_test(
        RealField,
        settings=settings(
            max_examples=examples(server), stateful_step_count=25, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), print_blob=True, phases=PHASES,
        ),
    )  # fmt: skip


def test_a_record_that_the_log_does_not_give_is_told(server: RealServer) -> None:
    """The first oracle bites: a row that no op explains, and an op that nobody carried out."""
    server.reset()
    phone = RealDevice(server)
    phone.inspect(SITES[0], failed=True)
    phone.settle(server)
    laws.the_log_gives_the_record(server)
    with server.app.app_context(), transaction() as session:
        session.execute(update(Problem).values(report_count=2))
    with pytest.raises(AssertionError, match="report_count"):
        laws.the_log_gives_the_record(server)


def test_a_view_that_differs_is_told() -> None:
    state: dict[str, Any] = {"base": {"problem:1": {"data": {"id": "1"}, "ver": 1}}, "memb": {"problem:1": ["district:1"]}}
    laws.same_view(state, copy.deepcopy(state))
    with pytest.raises(AssertionError, match="problem:1"):
        laws.same_view(state, {"base": {}, "memb": {}})
