"""The real server under the state machine: faults, clones, restores, compaction, scope that changes; then peace, and the laws.

Read-your-writes (I4) is checked after every step; the laws of laws.py when the line is quiet again, and with them two oracles: the log
played again gives the record (replay.py), and views taken page by page, stopped anywhere and gone on with by another process, are
what one page tells at once. HUYUAN_EXAMPLES sets how many histories are played (`make test-full`: 20,000, and 1,000 on
PostgreSQL); the seed is printed by hypothesis where one fails.
"""

import copy
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, update

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
# HUYUAN_SHRINK=1: look for a shorter history that fails too, for minutes; else the one that failed is told at once
PHASES = tuple(Phase) if os.environ.get("HUYUAN_SHRINK") == "1" else (Phase.explicit, Phase.generate)
SITES = [site["id"] for site in small_city()["sites"]]
SITE = st.sampled_from([*SITES[:2] * 3, *SITES[2:]])  # the two of their own district more often than those they may lose or gain
DESK_STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "note": ("problem.note", {"text": "督导员留言"}),
    "assign": ("problem.assign", {"department_id": "police"}),
    "edit": ("problem.edit", {"set": {"spot": {"was": None, "now": "校门东侧"}}}),
    **{action: ("problem.act", {"action": action, "note": "已看过"}) for action in ("refute", "close", "reopen", "delete", "restore", "separate")},
}
# The share of histories in which this must happen, or they prove nothing about it: about a third of what is usual (a history
# leaves whole rules out, so that of 500 histories one lot holds twice as much of a kind as another)
USUAL = {
    "inspection.submit applied": 0.5, "inspection.submit parked": 0.15, "problem.note applied": 0.12, "problem.act applied": 0.1,
    "problem.act parked": 0.07, "problem.act proposed": 0.04, "problem.edit applied": 0.05, "epoch.begin applied": 0.1,
    "task.move applied": 0.05, "team.change applied": 0.05,
}  # fmt: skip
FIELD_STEPS = ("stop_work", "close", "reopen", "accept", "danger")


class RealField(RuleBasedStateMachine):
    """Up to three phones of one person, the server, a desk."""

    server: ClassVar[RealServer]
    happened: ClassVar[Counter[str]] = Counter()  # in how many histories an op came to this

    def __init__(self) -> None:
        super().__init__()
        self.server.reset()
        self.devices = [RealDevice(self.server)]
        self.ops: list[str] = []

    def device(self, n: int) -> RealDevice:
        return self.devices[n % len(self.devices)]

    @initialize(is_at_work=st.sampled_from([True, True, False]))
    def begin(self, is_at_work: bool) -> None:
        """A phone that has its view and a first problem, or one that has nothing yet."""
        if is_at_work:
            self.ops.append(self.devices[0].inspect(SITES[0], failed=True))
            self.devices[0].settle(self.server)

    @rule(n=WHO, site=SITE, failed=st.booleans())
    def inspect(self, n: int, site: str, failed: bool) -> None:
        self.ops.append(self.device(n).inspect(site, failed))

    @rule(n=WHO, k=st.integers(0, 9))
    def note(self, n: int, k: int) -> None:
        there = self.device(n).problems()
        if there:
            self.ops.append(self.device(n).note(there[k % len(there)], f"第 {len(self.ops)} 句"))

    @rule(n=WHO, k=st.integers(0, 9), what=st.sampled_from([*FIELD_STEPS, "edit"]))
    def step(self, n: int, k: int, what: str) -> None:
        """An intent or an edit, judged by what the phone had seen."""
        there = self.device(n).problems()
        if there:
            self.ops.append(self.device(n).step(there[k % len(there)], what, f"第 {len(self.ops)} 句"))

    @rule(n=WHO, k=st.integers(0, 9), what=st.sampled_from(["close", "accept", "reopen"]), meanwhile=st.sampled_from(["assign", "reopen"]))
    def minds_cross(self, n: int, k: int, what: str, meanwhile: str) -> None:
        """The phone claims that something is over, or not, while the desk does something with it that the phone has not seen."""
        there = self.device(n).problems()
        if there:
            self.ops.append(self.device(n).step(there[k % len(there)], what, f"第 {len(self.ops)} 句"))
            self._decide(*DESK_STEPS[meanwhile], there[k % len(there)])
            self.push(n, None, 50)

    @rule(n=WHO, fault=PUSH_FAULTS, limit=st.sampled_from([1, 3, 50]))
    def push(self, n: int, fault: str | None, limit: int) -> None:
        self.device(n).push(self.server, fault, limit)

    @rule(n=WHO, fault=PULL_FAULTS, pages=st.sampled_from([1, 30]))
    def pull(self, n: int, fault: str | None, pages: int) -> None:
        """One page, or all that there are."""
        for _ in range(pages):
            if self.device(n).pull(self.server, fault) or fault:
                return

    @rule(n=WHO, site=SITE, fault=PUSH_FAULTS)
    def visit(self, n: int, site: str, fault: str | None) -> None:
        """What a phone does most: a checklist, at once handed over."""
        self.inspect(n, site, failed=True)
        self.push(n, fault, 50)

    @rule(n=WHO, what=st.sampled_from(["restart", "clone", "late_duplicate"]), k=st.integers(0, 20))
    def phone_suffers(self, n: int, what: str, k: int) -> None:
        phone = self.device(n)
        if what == "restart":
            phone.restart()
        elif what == "clone" and len(self.devices) < 3:
            self.devices.append(phone.clone())
        elif what == "late_duplicate" and phone.sent:
            self._send_again(phone.sent[k % len(phone.sent)])

    def _send_again(self, sent: dict[str, Any]) -> None:
        """T2: a request comes again, however late."""
        try:
            self.server.push(copy.deepcopy(sent))
        except Refusal as refusal:
            assert refusal.code in ("epoch_changed", "replica_forked")

    @rule(what=st.sampled_from([*DESK_STEPS, "merge"]), k=st.integers(0, 9))
    def desk_decides(self, what: str, k: int) -> None:
        problems = self.server.look(laws.problem_ids)
        if problems:
            verb, args = DESK_STEPS.get(what, ("problem.merge", {"into": problems[0], "note": "同一处"}))
            self._decide(verb, args, problems[k % len(problems)])

    def _decide(self, verb: str, args: dict[str, Any], name: str) -> None:
        seen = self.server.look(lambda s: s.scalar(select(Problem.ver).where(Problem.id == name)))
        self.server.desk(verb, ("problem", name), args, base={"ver": seen})

    @rule(what=st.sampled_from(["excuse", "move", "gain", "lose"]), k=st.integers(0, 9))
    def desk_arranges(self, what: str, k: int) -> None:
        district, site = DISTRICTS[k % 3], SITES[k % len(SITES)]
        if what == "excuse":
            self.server.desk("task.excuse", ("task", f"s1:{site}:campus-perimeter"), {"note": "校舍停用"})
        elif what == "move":
            args = {"area": district, "team_id": (TEAM, OTHER_TEAM)[k % 2]}
            self.server.desk("task.move", ("area", district), args)
        elif what in ("gain", "lose"):
            self.server.scope(district, what == "gain")

    @rule(what=st.sampled_from(["work", "compact", "backup", "restore"]))
    def server_does(self, what: str) -> None:
        getattr(self.server, what)()

    @invariant()
    def every_own_op_is_seen_exactly_once(self) -> None:
        """I4."""
        for device in self.devices:
            own = device.state["outbox"] + [k for k in device.state["acked"] if k["status"] == "applied"]
            for kept in own:
                assert device.seen(kept) in (None, 1), (kept["ent"], device.seen(kept))

    def teardown(self) -> None:
        self._settle_and_judge()
        self.happened.update(self.server.look(laws.outcomes))

    def _settle_and_judge(self) -> None:
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
        if self.server.histories % (2 if self.server.is_sqlite else 4) == 0:  # it costs as much as a history, on PostgreSQL more
            laws.the_log_gives_the_record(self.server)
        for device in self.devices:
            laws.same_view(device.state, fresh.state)
            laws.within_scope(self.server, device.state)
            assert not set(replica.unacked(device.state, 200)) - laws.held(self.server), "a decided op is still asked about"


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    """On SQLite; test_real_machine_on_postgres.py plays the same on PostgreSQL. In memory where there is such a disk: what a
    real one does is tests/faults'."""
    folder = Path(tempfile.mkdtemp(prefix="huyuan-machine-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    made = RealServer(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


def examples(server: RealServer) -> int:
    """500 on SQLite and 10 on PostgreSQL, where databases cost more than histories; of HUYUAN_EXAMPLES PostgreSQL has a twentieth."""
    given = os.environ.get("HUYUAN_EXAMPLES")
    if given is None:
        return 500 if server.is_sqlite else 10
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
    if examples(server) >= 300:
        rare = {what: RealField.happened[what] for what, share in USUAL.items() if RealField.happened[what] < share * examples(server)}
        assert not rare, f"the histories say little: {rare} of {examples(server)}"


def test_what_phones_and_desks_say_of_a_problem_is_in_the_log_to_the_millisecond(server: RealServer) -> None:
    """The first oracle over one history in which each kind of thing is said once: also the times on a row are those of the log."""
    server.reset()
    phone = RealDevice(server)
    phone.inspect(SITES[0], failed=True)
    phone.settle(server)
    (problem,) = phone.problems()
    for what in (*FIELD_STEPS, "edit"):
        phone.step(problem, what, what)
        phone.note(problem, f"{what}之后")
    phone.settle(server)
    for verb, args in DESK_STEPS.values():
        server.desk(verb, ("problem", problem), args)
    laws.the_log_gives_the_record(server)


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
