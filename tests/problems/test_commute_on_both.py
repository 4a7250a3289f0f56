"""I17 again, in short, on SQLite and on PostgreSQL (a file of its own: each database has its own ground)."""

from hypothesis import given, settings

from tests.problems.ground import Ground
from tests.problems.test_commute import COMMUTING, QUIET, STATES, Op, either_order


@settings(max_examples=12, **QUIET)
@given(state=STATES, ops=COMMUTING)
def test_i17_on_both_databases(both: Ground, state: str, ops: tuple[Op, Op]) -> None:
    either_order(both, state, ops)
