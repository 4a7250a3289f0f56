"""Terms of office by themselves: the first day on which nobody holds a post."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend.accounts.rules import vacant_from

TODAY = date(2026, 11, 24)
DAY = st.integers(-40, 40).map(lambda n: TODAY + timedelta(days=n))
TERM = st.tuples(DAY, st.one_of(st.none(), st.integers(0, 30))).map(
    lambda pair: (pair[0], None if pair[1] is None else pair[0] + timedelta(days=pair[1]))
)


@given(st.lists(TERM, max_size=5), st.integers(0, 45))
def test_it_is_the_first_day_that_no_term_holds(terms: list[tuple[date, date | None]], days: int) -> None:
    """Overlapping terms (which the record refuses) and gaps, in any order: the day by day count is the judge."""
    empty = [
        day for day in (TODAY + timedelta(days=n) for n in range(days + 1))
        if not any(first <= day <= (last or day) for first, last in terms)
    ]  # fmt: skip
    assert vacant_from(terms, TODAY, days) == (empty[0] if empty else None)
