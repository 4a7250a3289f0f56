"""The laws of the protocol over what a real server holds, each named by its invariant (sync.md §3.10). Reads only."""

import hashlib
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.feed.models import FeedRow
from backend.inspections.models import Inspection
from backend.journal import book
from backend.ops.models import LoggedOp
from backend.problems.models import Problem, ProblemEvent, ProblemReport
from backend.sync.models import Replica, ReplicaStep
from sync_protocol.identity import GENESIS, chain_head
from sync_protocol.limits import STATUSES
from tests.protocol import replay
from tests.protocol.real_server import TEAM, RealServer

CARRIED_OUT = frozenset(STATUSES) - {"parked", "blocked", "incident"}  # on record, whatever it came to


def problem_ids(session: Session) -> list[str]:
    """All problems."""
    return sorted(session.scalars(select(Problem.id)))


def outcomes(session: Session) -> set[str]:
    """What ops have come to in this history: "verb status"."""
    return {f"{verb} {status}" for verb, status in session.execute(select(LoggedOp.verb, LoggedOp.status).distinct())}


def held(server: RealServer) -> set[str]:
    """Ops that somebody still has to decide."""
    return set(server.look(lambda s: list(s.scalars(select(LoggedOp.op_id).where(LoggedOp.status.in_(("parked", "blocked")))))))


def nothing_is_lost(server: RealServer, ops: list[str]) -> None:
    """I1, I14, I24: every op that a phone ever recorded is in custody."""
    there = set(server.look(lambda s: list(s.scalars(select(LoggedOp.op_id)))))
    assert set(ops) <= there, f"lost: {set(ops) - there}"


def nothing_is_doubled(server: RealServer, ops: list[str]) -> None:
    """I2: an applied checklist is one inspection and one report for each failed item, a note one step; others have no effect."""

    def read(s: Session) -> list[tuple[Any, int, int, int, int]]:
        inspections, reports = (list(s.scalars(select(column))) for column in (Inspection.op_id, ProblemReport.op_id))
        lines = s.execute(select(ProblemEvent.op_id, ProblemEvent.action)).all()
        steps = [op for op, action in lines if action != "unmerged_edit"]
        beside = [op for op, action in lines if action == "unmerged_edit"]  # a line for each field that was put aside
        logged = s.execute(select(LoggedOp.op_id, LoggedOp.verb, LoggedOp.status, LoggedOp.body).where(LoggedOp.op_id.in_(ops))).all()
        return [(row, *(found.count(row.op_id) for found in (inspections, reports, steps, beside))) for row in logged]

    for row, inspections, reports, steps, beside in server.look(read):
        told = (row.op_id, row.verb, row.status, inspections, reports, steps, beside)
        failed = '"fail"' in row.body
        if row.verb == "inspection.submit":
            assert (inspections, reports) == ((1, failed) if row.status == "applied" else (0, 0)), told
        elif row.verb == "problem.edit" and row.status == "redirected":
            assert (steps, beside) == (0, 2), told
        elif row.verb in ("problem.act", "problem.edit"):
            assert steps == (row.status in CARRIED_OUT) and beside <= 2, told
        else:
            assert steps == (row.status in ("applied", "redirected")), told


def logs_are_chains(server: RealServer, ops: list[str]) -> None:
    """I5, I12: one op at each place of a replica's log, the bodies hash to their fingerprints, the heads follow from them."""

    def read(s: Session) -> None:
        links: dict[str, dict[int, str]] = {}
        for row in s.scalars(select(LoggedOp).where(LoggedOp.replica.is_not(None))):
            assert hashlib.sha256(row.body.encode()).hexdigest() == row.fp, f"{row.op_id} is not as it was sent"
            assert links.setdefault(str(row.replica), {}).setdefault(int(row.seq or 0), row.fp) == row.fp
        for step in s.scalars(select(ReplicaStep)):
            assert links.setdefault(step.replica, {}).setdefault(step.seq, step.fp) == step.fp
        for replica in s.scalars(select(Replica)):
            head = GENESIS
            for seq in range(1, replica.next_seq):
                head = chain_head(head, replica.id, seq, links[replica.id][seq])
            assert head == replica.head, f"{replica.id}: the head does not follow from the log"

    server.look(read)


def every_op_has_its_status(server: RealServer, ops: list[str]) -> None:
    """I11: one status of the protocol each; what is parked or blocked has its reason."""
    rows = server.look(lambda s: [(r.op_id, r.status, r.reason) for r in s.scalars(select(LoggedOp))])
    for op, status, reason in rows:
        assert status in STATUSES, (op, status)
        assert reason or status not in ("parked", "blocked", "incident"), (op, status)


def the_feed_has_one_order(server: RealServer, ops: list[str]) -> None:
    """G1, I9: (clock, sub) names one row of a bucket's feed; no entity is in two buckets of one kind unless it has left one."""
    rows = server.look(lambda s: [(r.bucket, r.clock, r.sub) for r in s.scalars(select(FeedRow))])
    assert len(rows) == len(set(rows))


def the_journal_is_whole(server: RealServer, ops: list[str]) -> None:
    """The record of who did what was not altered, and every op is in it."""
    assert server.look(lambda s: list(book.verify(s))) == []


def same_view(state: dict[str, Any], fresh: dict[str, Any]) -> None:
    """I3, I8: a device holds what a new device of the same person is given, in the same buckets, and nothing else."""
    ours, theirs = ({k: (row["data"], row["ver"]) for k, row in s["base"].items()} for s in (state, fresh))
    assert ours == theirs, {k: (ours.get(k), theirs.get(k)) for k in {*ours, *theirs} if ours.get(k) != theirs.get(k)}
    ours, theirs = ({k: sorted(b) for k, b in s["memb"].items()} for s in (state, fresh))
    assert ours == theirs, "the same rows in other buckets"


def within_scope(server: RealServer, state: dict[str, Any]) -> None:
    """I8, I21: what is on the device lies in the buckets of its person: their own, their team's, the team's districts."""
    areas = server.areas()
    allowed = {"global", "user:u-ins1", f"team:{TEAM}", *(f"district:{area}" for area in areas)}
    held_in = {bucket for buckets in state["memb"].values() for bucket in buckets}
    assert held_in <= allowed, f"not theirs: {held_in - allowed}"


def the_log_gives_the_record(server: RealServer) -> None:
    """I1, I2, I5: the first oracle: the log played again on a server that has nothing yet gives the same record and the same outcomes."""
    twin, log = server.twin(), server.look(replay.log_in_order)
    assert {row.op_id for row, _ in log} == set(server.look(lambda s: list(s.scalars(select(LoggedOp.op_id))))), "not in the journal"
    statuses = replay.play(twin, log)
    assert statuses == server.look(lambda s: {r.op_id: r.status for r in s.scalars(select(LoggedOp))})
    with replay.at(twin) as session:
        found = replay.differences(server.look(replay.record), replay.record(session))
    assert found == {}, f"the log does not give the record: {found}"


LAWS: tuple[Callable[[RealServer, list[str]], None], ...] = (
    nothing_is_lost, nothing_is_doubled, logs_are_chains, every_op_has_its_status, the_feed_has_one_order, the_journal_is_whole,
)  # fmt: skip
