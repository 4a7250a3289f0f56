"""The one pass over a usual checklist and the fields one by one: what the first takes, the second takes alike."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from backend.inspections.schemas import Submit

SCHEMA = Submit()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**7), 10**7) | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=6,
)  # fmt: skip
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "task_id": st.none() | st.text(max_size=210),
    "site_id": st.text(max_size=70),
    "programme": st.sampled_from(["campus-perimeter", "fire-hazard"]),
    "template_version": st.integers(-1, 9),
    "team_id": st.none() | st.text(max_size=70),
    "started_at": st.none() | st.sampled_from(["2026-11-24T08:00:00+08:00", "2026-11-24T08:00:00", "nonsense", ""]),
    "ended_at": st.none() | st.sampled_from(["2026-11-24T08:00:00Z", "2026-13-24T08:00:00Z"]),
    "fix": st.none() | st.fixed_dictionaries(
        {"lon": st.floats() | st.integers() | st.just("118.1"), "lat": st.floats(-90, 90)},
        optional={"accuracy_m": st.none() | st.floats(-5, 2e6) | st.booleans(), "crs": st.sampled_from(["wgs84", "gcj02", "x"]), "z": st.just(1)},
    ),
    "answers": st.dictionaries(st.text(max_size=5), st.sampled_from(["pass", "fail", "na", "unchecked", "yes", 1, None]), max_size=4),
    "remarks": st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(), max_size=3),
    "values": st.dictionaries(st.text(max_size=5), st.floats() | st.integers() | st.just("x"), max_size=3),
    "photos": st.dictionaries(st.text(max_size=5), st.lists(st.sampled_from(["0" * 64, "G" * 64]), max_size=2), max_size=2),
    "on_the_spot": st.lists(st.text(max_size=5) | st.integers(), max_size=2),
}  # fmt: skip
ARGS = st.fixed_dictionaries({}, optional={name: good | JSON for name, good in GOOD.items()} | {"stranger": JSON})


def outcome(load: Any) -> Any:
    try:
        return load()
    except ValidationError as fault:
        return fault.messages


@given(ARGS)
def test_the_one_pass_gives_what_the_fields_give(args: dict[str, Any]) -> None:
    by_fields = outcome(lambda: Schema.load(SCHEMA, args))
    assert repr(outcome(lambda: SCHEMA.load(args))) == repr(by_fields)


def test_a_usual_checklist_is_taken_in_one_pass_and_an_unusual_one_is_not() -> None:
    usual = {
        "task_id": "s1:x:campus-perimeter", "site_id": "x", "programme": "campus-perimeter", "template_version": 1, "team_id": "t1",
        "answers": {"A101": "pass"}, "fix": {"lon": 118, "lat": 36.8, "accuracy_m": 8, "crs": "wgs84"}, "remarks": {"A101": "好"},
    }  # fmt: skip
    assert SCHEMA._usual(usual) == Schema.load(SCHEMA, usual)
    assert SCHEMA._usual({**usual, "answers": {"A101": "perhaps"}}) is None
    with pytest.raises(ValidationError, match="pass, fail"):
        SCHEMA.load({**usual, "answers": {"A101": "perhaps"}})
