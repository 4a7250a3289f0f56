"""A run that fails ends in time and tells the failing example, however slow the test is to play again (tests/conftest.py)."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import engine


def test_shrinking_is_cut_off_and_the_example_found_so_far_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.MAX_SHRINKING_SECONDS <= 60, "set for every test of the suite"
    monkeypatch.setattr(engine, "MAX_SHRINKING_SECONDS", 0.5)
    played: list[list[int]] = []

    @settings(database=None)
    @given(st.lists(st.integers(0, 1000), min_size=20))
    def slow(numbers: list[int]) -> None:
        played.append(numbers)
        time.sleep(0.05)
        assert sum(numbers) < 100

    started = time.monotonic()
    with pytest.raises(AssertionError) as failed:
        slow()
    assert time.monotonic() - started < 10 and len(played) < 100
    assert any("numbers=" in note for note in failed.value.__notes__), "the example is told"
