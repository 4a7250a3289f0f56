"""Framing: strict outside, tolerant inside; whatever is well framed can be taken into custody. No server."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.envelope import BadFrame, frame, frames
from sync_protocol.identity import GENESIS, fingerprint

OP = "01938a6e-4c00-7a11-8f00-0123456789ab"


def wire(body: str, **other: Any) -> dict[str, Any]:
    return {"seq": 1, "prev": GENESIS, "body": body, **other}


def text(**members: Any) -> str:
    return json.dumps({"op": OP, "verb": "inspection.submit", **members}, ensure_ascii=False)


def test_p1_a_readable_op_keeps_its_members() -> None:
    op = frame(
        wire(text(v=2, actor="u-1", ent={"t": "site", "id": "s1"}, args={"备注": "无"}, base={"ver": 7}))
    )
    assert (op.fault, op.id, op.verb, op.v, op.actor) == (None, OP, "inspection.submit", 2, "u-1")
    assert (op.ent, op.args, op.base) == (("site", "s1"), {"备注": "无"}, {"ver": 7})


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {},
        {"seq": 1, "prev": GENESIS},
        wire("{}", urgent=True),
        wire("{}", seq=0),
        wire("{}", seq=True),
        wire("{}", seq="1"),
        wire("{}", seq=2**53),
        wire("{}", prev="0" * 63),
        wire("{}", prev="G" * 64),
        wire("a\0b"),
        wire("\ud800"),
    ],
)
def test_p5_a_bad_frame_is_refused_whole(raw: Any) -> None:
    with pytest.raises(BadFrame):
        frames([raw])


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no",
        "[]",
        "{}",
        '{"op":"short","verb":"x"}',
        '{"op":"fp:12345678","verb":"x"}',
        '{"verb":"x"}',
        f'{{"op":"{OP}"}}',
        '{"op":12345678,"verb":"x"}',
    ],
)
def test_p6_an_unreadable_body_is_kept_under_its_fingerprint(body: str) -> None:
    op = frame(wire(body))
    assert op.fault is not None
    assert op.id == f"fp:{fingerprint(body)[:32]}"


@pytest.mark.parametrize(
    "members",
    [
        {"v": True},
        {"v": 0},
        {"v": 2**40},
        {"verb": "x" * 61},
        {"actor": "u" * 65},
        {"args": []},
        {"base": 7},
        {"ent": {"t": 1}},
        {"ent": {"t": "t", "id": "x" * 101}},
        {"ent": []},
        {"blobs": [1]},
        {"blobs": [{"sha256": "x"}]},
        {"args": {"remark": "a\0b"}},
        {"args": {"list": [{"a\0": 1}]}},
    ],
)
def test_p6_a_body_that_a_database_cannot_hold_is_parked_under_its_own_id(members: dict[str, Any]) -> None:
    op = frame(wire(text(**members)))
    assert op.id == OP
    assert op.fault is not None


@pytest.mark.parametrize("at", ["now", None, [], 7, True])
def test_p83_an_at_of_another_kind_is_no_fault_of_the_op(at: Any) -> None:
    op = frame(wire(text(at=at)))
    assert (op.id, op.fault, op.at) == (OP, None, {})


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_p6_every_text_can_be_taken_into_custody_byte_for_byte(body: str) -> None:
    op = frame(wire(body))
    assert (op.body, op.fp) == (body, fingerprint(body))
    assert 8 <= len(op.id) <= 64 and "\0" not in op.verb
