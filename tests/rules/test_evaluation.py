"""Scores (backend/evaluation/rules.py): a weighted mean of shares, of what there is to judge, with a word of caution for few cases."""

from hypothesis import given
from hypothesis import strategies as st

from backend.evaluation import rules
from backend.evaluation.rules import Case
from backend.evaluation.schemas import Weights

CASES = st.lists(st.builds(Case, st.sampled_from(list(rules.INDICATORS)), st.text(max_size=3), st.booleans(), st.sampled_from(["a", "b", None])), max_size=40)
WEIGHTS = st.dictionaries(st.sampled_from(list(rules.INDICATORS)), st.integers(1, 100), min_size=1)


@given(cases=CASES, weights=WEIGHTS)
def test_a_score_lies_between_its_worst_and_best_share_and_counts_every_case_once(cases: list[Case], weights: dict[str, int]) -> None:
    found = rules.figures(cases, "district")
    assert sum(whole for told in found.values() for _, whole in told.values()) == sum(case.district is not None for case in cases)
    for told in found.values():
        made, shares = rules.score(told, weights), [100 * good / whole for name, (good, whole) in told.items() if name in weights]
        if not shares:
            assert made == {"score": None, "is_small": True}
        else:
            assert min(shares) - 0.05 <= made["score"] <= max(shares) + 0.05
            assert made["is_small"] == any(whole < rules.FEW for name, (_, whole) in told.items() if name in weights)


def test_a_score_by_hand() -> None:
    told = {"on_time": [15, 20], "reply": [10, 10], "coverage": [0, 0]}
    assert rules.score(told, {"on_time": 60, "reply": 20, "coverage": 20}) == {"score": 81.2, "is_small": False}


def test_the_weights_that_are_taken_are_those_of_the_indicators() -> None:
    assert set(Weights().fields) == set(rules.INDICATORS) and Weights().validate({}) and not Weights().validate({"reply": 1})


@given(before=st.sets(st.sampled_from("abc")), after=st.sets(st.sampled_from("abc")))
def test_a_fix_is_proven_by_two_pictures_that_are_not_the_same(before: set[str], after: set[str]) -> None:
    assert rules.is_proven(before, after) == any(one != other for one in before for other in after)
