"""The ledgers' laws on random histories, on both databases: the parts sum to the whole along every axis, now and as of every
clock there was; what is past stays as it was told; the counts that are kept are those of a recount."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import text

from backend.access.scope import SYSTEM
from backend.database import db, snapshot
from backend.ledgers import lines, opened, proof, queries
from backend.ledgers.models import STILL, LedgerMark
from backend.now import now_utc
from tests.ledgers import history, recount
from tests.problems.ground import Ground

STORY = [("raise", 0, 0), ("wander", 0, 1), ("wander", 0, 3), ("due", 0, 0), ("raise", 0, 0), ("grow", 1, 0), ("place", 2, 1), ("close", 3, 0),
         ("merge", 0, 3), ("raise", 0, 0), ("merge", 4, 0), ("delete", 1, 0), ("reopen", 3, 0), ("separate", 4, 0)]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def lived(both: Ground) -> None:
    """A history that every run has, with a mark after each few lines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "MARK_EVERY", 4)
        player = history.Player(both)
        for step in STORY:
            player.step(*step)
            lines.mark(now_utc())


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=history.HISTORIES)
def test_whatever_happens_every_moment_keeps_the_sums_it_had(both: Ground, monkeypatch: pytest.MonkeyPatch, story: Any) -> None:
    monkeypatch.setattr(lines, "MARK_EVERY", 6)  # so that some moments are told from a mark, before it or after it
    player, today, kept = history.Player(both), now_utc().date(), []
    for step in story:
        player.step(*step)
        with snapshot() as session:
            kept.append(recount.now(session))
        lines.mark(now_utc())
    assert recount.faults(kept[-1][1], today, None) == []
    for clock, problems in kept:
        assert recount.faults(problems, today, clock) == []
    with snapshot() as session:
        assert list(proof.drift(session)) == []
        for clock in (None, kept[0][0], kept[-1][0]):
            made = proof.reconcile(session, SYSTEM, today, clock)
            assert made["reconciles"], made["checks"]
        assert proof.reconcile(session, SYSTEM, today)["certificate"] == made["certificate"]


def test_these_moments_were_told_from_several_marks_and_the_states_they_saw_differ(both: Ground) -> None:
    columns = LedgerMark.__table__.c
    with snapshot() as session:
        found = set(session.execute(LedgerMark.__table__.select().with_only_columns(columns.clock, columns.state)))
    assert len({clock for clock, _ in found}) >= 3 and len({state for _, state in found}) >= 2


def test_each_cell_opens_as_many_rows_as_it_counts_now_and_then(both: Ground) -> None:
    today = now_utc().date()
    with snapshot() as session:
        clocks = [None, *(clock for (clock,) in session.execute(LedgerMark.__table__.select().with_only_columns(LedgerMark.clock).distinct()))]
        for clock in clocks[:3]:
            for axis in queries.AXES:
                for row in queries.rollup(session, SYSTEM, "370300", today, axis, clock)["rows"]:
                    for measure in opened.MEASURES:
                        found = opened.rows(session, SYSTEM, "370300", today, {axis: row["id"]}, measure, clock)
                        assert found["count"] == len(found["rows"]) == row[measure], (axis, row["id"], measure, clock)


@pytest.mark.parametrize(("table", "change", "named"), [
    ("ledger_cells", "n = n + 1", "cell "), ("ledger_lines", "grade = 'major'", "problem "), ("ledger_lines", "to_clock = to_clock + 1", "problem "),
])  # fmt: skip
def test_a_count_or_line_that_was_altered_is_named(both: Ground, table: str, change: str, named: str) -> None:
    session = db.session()
    try:
        grade = "" if table == "ledger_cells" else f" AND to_clock = {STILL}"
        session.execute(text(f"UPDATE {table} SET {change} WHERE is_open{grade}"))  # in a view that is never kept
        assert any(what.startswith(named) for what, _ in proof.drift(session))
    finally:
        session.rollback()
        session.close()
