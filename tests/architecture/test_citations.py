"""Every invariant, scenario and fault of the design has its tests, which are there and say so; every invariant has a bug that must die."""

import pytest

from tests.architecture import citations
from tests.architecture.scenarios import SCENARIOS, UNTESTED, WANTED
from tests.mutants.invariants import INVARIANTS
from tests.mutants.table import MUTANTS


def test_every_invariant_is_named_by_its_tests() -> None:
    assert list(INVARIANTS) == [f"I{n}" for n in range(1, 25)]
    assert all(tests for _, tests in INVARIANTS.values())
    faults = [citations.fault_of(name, test) for name, (_, tests) in INVARIANTS.items() for test in tests]
    assert [fault for fault in faults if fault] == []


def test_every_invariant_has_a_bug_that_its_tests_must_see() -> None:
    assert set(INVARIANTS) == {name for mutant in MUTANTS for name in mutant.breaks}
    for mutant in MUTANTS:
        assert any((citations.ROOT / test).is_file() for test in mutant.tests), mutant.name


def test_every_scenario_and_fault_of_the_design_is_named_by_its_tests() -> None:
    assert set(SCENARIOS) | set(UNTESTED) == set(WANTED) and not set(SCENARIOS) & set(UNTESTED)
    faults = [citations.fault_of(name, test) for name, tests in SCENARIOS.items() for test in tests]
    assert [fault for fault in faults if fault] == []


@pytest.mark.parametrize(("text", "name", "is_named"), [
    ("I1, I14: every op", "I1", True), ("test_i13_i23_a_reset", "I13", True), ("the laws I1–I5, I8", "I4", True),
    ("I14", "I1", False), ("the laws I1–I5", "I6", False), ("iI7", "I7", False), ("test_p10_x", "P1", False),
])  # fmt: skip
def test_a_name_is_found_whole(text: str, name: str, is_named: bool) -> None:
    assert citations.says(text, name) == is_named


def test_a_test_that_is_gone_or_silent_is_told() -> None:
    here = "tests/architecture/test_house.py"
    assert "there is no" in str(citations.fault_of("I1", "tests/nowhere.py"))
    assert "there is no" in str(citations.fault_of("I1", f"{here}::test_that_is_gone"))
    assert "does not name" in str(citations.fault_of("I1", f"{here}::test_there_is_one_commit_in_the_source_tree"))
