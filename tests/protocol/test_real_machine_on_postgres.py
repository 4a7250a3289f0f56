"""The machine of test_real_machine.py over a server on PostgreSQL; a file of its own, so that both can run at once."""

from collections.abc import Iterator

import pytest

from tests.postgres import cluster
from tests.protocol.real_server import RealServer
from tests.protocol.test_real_machine import (
    test_a_record_that_the_log_does_not_give_is_told,
    test_what_phones_and_desks_say_of_a_problem_is_in_the_log_to_the_millisecond,
    test_whatever_happens_on_the_line_the_laws_hold_when_it_is_quiet,
)

__all__ = [
    "test_a_record_that_the_log_does_not_give_is_told",
    "test_what_phones_and_desks_say_of_a_problem_is_in_the_log_to_the_millisecond",
    "test_whatever_happens_on_the_line_the_laws_hold_when_it_is_quiet",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with cluster() as postgres:
        made = RealServer(tmp_path_factory.mktemp("machine"), postgres)
        yield made
        made.close()
