"""A handover's rules by themselves: when it may close, and that no way leads round the receipt."""

from hypothesis import given
from hypothesis import strategies as st

from backend.handovers import rules
from backend.handovers.rules import Standing

ONE = st.builds(Standing, st.text("0123456789", min_size=1, max_size=4), st.booleans(), st.sampled_from(sorted(rules.ITEMS_ZH)))


@given(st.lists(ONE, max_size=8))
def test_a_handover_may_close_when_each_problem_has_ended_or_its_reason_was_accepted(found: list[Standing]) -> None:
    left = rules.unsettled(found)
    assert left == sorted(one.number for one in found if not one.is_ended and one.state != "accepted")
    assert rules.unsettled([one for one in found if one.number not in left]) == []


@given(st.lists(ONE, max_size=6), ONE)
def test_one_more_problem_never_makes_a_handover_easier_to_close(found: list[Standing], more: Standing) -> None:
    assert len(rules.unsettled([*found, more])) >= len(rules.unsettled(found))


def test_a_reply_comes_after_a_signature_and_nothing_after_the_end() -> None:
    reached, todo = {"issued"}, ["issued"]
    while todo:
        for after in rules.STEPS[todo.pop()].values():
            if after not in reached:
                reached.add(after)
                todo.append(after)
    assert reached == set(rules.STEPS) == set(rules.STATES_ZH)
    assert not rules.STEPS["closed"] and not rules.STEPS["withdrawn"]
    assert [state for state, row in rules.STEPS.items() if "reply" in row] == ["signed", "replied"]
    assert "close" not in rules.STEPS["issued"]


def test_every_answer_and_state_has_its_words() -> None:
    assert set(rules.RESULTS) == set(rules.RESULTS_ZH)
