"""Proof that the machine and the traces bite: each known bug is put in and must be seen. No rule is
tested here.

Only an assertion of ours counts as a death; an error that a mutant makes by itself does not.
"""

import contextlib
import inspect
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.protocol import test_slips, test_traces
from tests.protocol.mutants import MUTANTS, Patch
from tests.protocol.test_machine import Field

TRACES = [
    check for told in (test_traces, test_slips)
    for name, check in inspect.getmembers(told, inspect.isfunction) if name.startswith("test_")
]  # fmt: skip
SEARCH = settings(
    max_examples=300, stateful_step_count=40, deadline=None, database=None, derandomize=True,
    phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False,
)  # fmt: skip


def die_in_a_trace() -> bool:
    for trace in TRACES:
        with contextlib.suppress(AssertionError):
            trace()
            continue
        return True
    return False


def die_in_the_machine() -> bool:
    with contextlib.suppress(AssertionError):
        run_state_machine_as_test(Field, settings=SEARCH)
        return False
    return True


@pytest.mark.slow  # one of them needs luck or more examples than a short run has
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__)
def test_a_known_bug_does_not_survive(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    assert die_in_a_trace() or die_in_the_machine(), f"nothing saw that it {mutant.__name__}"


def test_without_a_mutant_no_trace_dies() -> None:
    assert not die_in_a_trace()
