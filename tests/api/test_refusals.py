"""What many operations refuse alike, each on both databases: unreadable bodies, strangers, unknown parameters."""

import pytest

from tests.api.refusals import REFUSALS, Refusal
from tests.cast import World
from tests.contract import OPERATIONS


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_it_is_refused_with_its_status_and_code(world: World, refusal: Refusal) -> None:
    operation = OPERATIONS[refusal.operation]
    answer = refusal.ask(world, operation)
    assert answer.status_code == refusal.status, answer.text
    if operation.method != "head":
        assert answer.json["code"] == refusal.code
