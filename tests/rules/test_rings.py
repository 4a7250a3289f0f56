"""The law of the rings: no larger ring closes over an open smaller one, whatever is in it and in whichever order things close."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.rings.rules import HOLDS, RINGS_ZH, Ring, may_close, open_in


@st.composite
def rings(draw: st.DrawFn, kind: str = "year", depth: int = 0) -> Ring:
    """A ring of this kind with whatever may be in it; one that is closed was closed by the law."""
    parts = tuple(draw(rings(draw(st.sampled_from(HOLDS[kind])), depth + 1)) for _ in range(draw(st.integers(0, 3 if depth < 2 else 2)) if HOLDS[kind] else 0))
    bare = Ring(kind, f"{kind}-{draw(st.integers(0, 999))}", False, parts)
    return Ring(kind, bare.name, draw(st.booleans()) and may_close(bare), parts)


def within(ring: Ring) -> list[Ring]:
    return [each for part in ring.parts for each in (part, *within(part))]


@given(rings())
def test_a_ring_closes_exactly_when_nothing_in_it_is_open(ring: Ring) -> None:
    still_open = sorted((each.kind, each.name) for each in within(ring) if not each.is_closed)
    assert sorted(open_in(ring)) == still_open
    assert may_close(ring) == (not still_open)


@given(rings())
def test_what_is_told_first_is_the_smallest_and_closing_it_all_in_that_order_is_lawful(ring: Ring) -> None:
    """Whoever works through the list from its beginning never meets a ring that may not be closed yet."""
    def closing(at: Ring) -> Ring:
        parts = tuple(closing(part) for part in at.parts)
        done = Ring(at.kind, at.name, False, parts)
        assert may_close(done)
        return Ring(at.kind, at.name, True, parts)

    assert not list(open_in(closing(ring)))


@given(rings(), rings("order"))
def test_one_more_open_ring_keeps_every_ring_around_it_open(year: Ring, order: Ring) -> None:
    wider = Ring("year", year.name, False, (*year.parts, Ring("order", "new", False, order.parts)))
    assert not may_close(wider) and ("order", "new") in set(open_in(wider))


def test_a_ring_in_one_that_cannot_hold_it_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="holds no year"):
        may_close(Ring("problem", "p", False, (Ring("year", "2026", True),)))
    assert set(HOLDS) == set(RINGS_ZH)
