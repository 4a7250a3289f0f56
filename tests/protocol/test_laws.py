"""Laws of the pure decisions, over what nobody would think to write down. No server, no replica."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync_protocol import clock, feed, workflow
from sync_protocol.cursor import MAX_SUB, decode, encode
from sync_protocol.envelope import frame
from sync_protocol.identity import GENESIS
from sync_protocol.limits import MAX_DEPTH, REASONS, STATUSES
from sync_protocol.merge import POLICIES, merge, same

OP = "01938a6e-4c00-7a11-8f00-0123456789ab"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", "甲", "乙"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=6,
)
POSITION = st.tuples(st.integers(0, 50), st.sampled_from([-1, 0, 3, MAX_SUB]))
SITUATION = st.builds(workflow.Situation, **{n: st.booleans() for n in workflow.Situation.__slots__})


def nested(depth: int, inside: str = "") -> str:
    """A body of exactly `depth` containers inside one another, `inside` in the innermost."""
    args = '{"a":' + "[" * (depth - 2) + inside + "]" * (depth - 2) + "}"
    return f'{{"op":"{OP}","verb":"x.y","args":{args}}}'


def test_p6_nesting_is_taken_to_its_limit_and_parked_beyond_it() -> None:
    for depth, is_fine in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False)):
        op = frame({"seq": 1, "prev": GENESIS, "body": nested(depth)})
        assert (op.id, op.fault is None) == (OP, is_fine)


@pytest.mark.parametrize("depth", [900, 1000, 1020, 5000, 100_000])
def test_p6_no_nesting_keeps_an_op_out_of_custody(depth: int) -> None:
    for inside in ("", '"\\u0000"'):
        op = frame({"seq": 1, "prev": GENESIS, "body": nested(depth, inside)})
        assert op.fault is not None and op.body == nested(depth, inside)


@given(JSON)
def test_p6_many_brackets_side_by_side_are_not_depth(value: Any) -> None:
    body = json.dumps({"op": OP, "verb": "x.y", "args": {"a": [[value]] * (MAX_DEPTH + 9)}})
    assert frame({"seq": 1, "prev": GENESIS, "body": body}).fault is None


@given(JSON, JSON, JSON, st.sampled_from(POLICIES))
def test_p25_no_value_is_lost_and_none_stops_the_merge(was: Any, theirs: Any, mine: Any, policy: str) -> None:
    got = merge({"f": theirs}, {"f": {"was": was, "now": mine}}, {"f": policy})
    if same(theirs, mine):
        assert (got.apply, got.conflicts) == ({}, [])
    elif same(theirs, was):
        assert same(got.apply["f"], mine) and not got.conflicts
    else:
        assert [(c.was, c.theirs, c.mine) for c in got.conflicts] == [(was, theirs, mine)]
        assert policy not in ("server", "manual") or not got.apply


@given(JSON, JSON, JSON, JSON, JSON, JSON)
def test_p25_edits_of_different_fields_commute(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> None:
    first, second = {"p": {"was": a, "now": b}}, {"q": {"was": c, "now": d}}
    start = {"p": e, "q": f}

    def after(*edits: dict[str, dict[str, Any]]) -> dict[str, Any]:
        state = dict(start)
        for edit in edits:
            state |= merge(state, edit, {"p": "union", "q": "device"}).apply
        return state

    assert same(after(first, second), after(second, first))


@given(JSON, JSON)
@example(1, True)
@example([0], [False])
def test_p25_equality_is_that_of_json(one: Any, other: Any) -> None:
    assert same(one, other) == same(other, one)
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        assert same(one, other)
    if isinstance(one, bool) != isinstance(other, bool):
        assert not same(one, other)


@pytest.mark.parametrize("edit", [5, None, {}, {"now": 1}, {"was": 1}, {"was": 1, "now": 2, "at": 3}])
def test_p25_an_edit_without_both_values_empties_nothing(edit: Any) -> None:
    with pytest.raises(ValueError, match="was and now"):
        merge({"f": 1}, {"f": edit}, {})


def test_p25_an_unknown_policy_is_an_error_of_the_program() -> None:
    with pytest.raises(ValueError, match="policy"):
        merge({"f": 1}, {"f": {"was": 2, "now": 3}}, {"f": "newest"})


@given(SITUATION)
def test_p24_the_safe_side_wins(at: workflow.Situation) -> None:
    verdict = workflow.decide(at)
    assert verdict.status in STATUSES and (verdict.reason is None or verdict.reason in REASONS)
    assert (verdict.reason is None) == (verdict.status != "parked"), "a parked op says why, others need not"
    if verdict.status == "applied":
        assert at.is_permitted and at.is_allowed_to_actor and not at.is_target_deleted
        assert not (at.is_base_stale and at.needs_fresh_base)
        assert ("rebased" in verdict.flags) == at.is_base_stale
    if at.is_claim:
        assert verdict.reason != "guard_failed", "a claim about the world is looked at by a person"


@given(
    st.dictionaries(st.sampled_from("abcd"), POSITION),
    st.sets(st.sampled_from("abcd")),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 60)),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 60)),
)
def test_p15_to_p17_a_plan_never_skips_what_was_not_delivered(
    cursor: dict[str, feed.Position], scope: set[str], horizons: dict[str, int], resetting: dict[str, int]
) -> None:
    got = feed.plan(cursor, scope, horizons, resetting)
    assert set(got.since) == scope and set(got.drop) == set(cursor) - scope and set(got.reset) <= scope
    for bucket, at in got.since.items():
        assert at in (feed.START, cursor.get(bucket))
        if at > feed.START and bucket not in resetting:
            assert at >= (horizons.get(bucket, 0) - 1, MAX_SUB) or at[0] >= horizons.get(bucket, 0)


@given(st.dictionaries(st.sampled_from("abcd"), POSITION, min_size=1), POSITION, st.integers(50, 99))
def test_p18_a_position_never_goes_back(
    since: dict[str, feed.Position], last: feed.Position, now: int
) -> None:
    for upto in (feed.advance(since, last, now), feed.advance(since, None, now)):
        assert all(upto[bucket] >= at for bucket, at in since.items())


@given(st.text(max_size=40), st.dictionaries(st.text(max_size=30), POSITION), st.binary(min_size=1))
def test_p14_a_cursor_says_what_was_put_into_it(
    epoch: str, since: dict[str, feed.Position], key: bytes
) -> None:
    assert decode(encode(epoch, since, 1, key), key) == (epoch, since, 1)


@given(st.integers(0, 2_000), st.integers(0, 2_000), st.integers(-100, 100), st.integers(0, 10**10))
def test_p26_an_anchored_interval_contains_the_true_time(
    there_ms: int, back_ms: int, drift_ppm: int, since_ms: int
) -> None:
    truth = 1_763_900_000_000
    at = clock.anchor("b1", 1_000, truth, truth, 1_000 + there_ms + back_ms)
    mono = at.mono_ms + since_ms + since_ms * drift_ppm // 1_000_000
    when = truth + back_ms + since_ms
    got = clock.estimate(at, "b1", mono, truth - 10**11, truth + 10**11)
    assert got.quality == "anchored"
    slack = 2 + since_ms * 100**2 // 10**12 + 1  # rounding, and the drift of the drift: `mono` is the drifting clock's own
    assert got.low_ms - slack <= when <= got.high_ms + slack
