"""The vectors of `sync_protocol/vectors`, which every implementation runs. No values of their own are
kept here."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import sync_protocol
from sync_protocol import clock, feed, identity, lineage, merge, workflow
from sync_protocol.cursor import BadCursor, decode, encode
from sync_protocol.envelope import Framed
from sync_protocol.ordering import Forked, Head, take

FOLDER = Path(sync_protocol.__file__).parent / "vectors"


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_p4_the_chain_is_the_same_everywhere() -> None:
    vector, head = load("chain"), identity.GENESIS
    for op in vector["ops"]:
        head = identity.chain_head(head, vector["replica"], op["seq"], op["fp"])
        assert head == op["head"]


@pytest.mark.parametrize("case", load("fingerprint")["bodies"], ids=lambda c: c["body"])
def test_p3_a_fingerprint_is_of_the_bytes_and_not_of_the_meaning(case: dict[str, str]) -> None:
    assert identity.fingerprint(case["body"]) == case["fp"]


@pytest.mark.parametrize("case", load("uuid7")["cases"], ids=lambda c: c["id"])
def test_p2_an_op_id_is_a_uuid_of_version_seven(case: dict[str, Any]) -> None:
    assert identity.uuid7(case["ms"], bytes.fromhex(case["rand"])) == case["id"]


def test_p14_a_cursor_has_one_spelling() -> None:
    vector = load("cursor")
    since = {b: (p[0], p[1]) for b, p in vector["since"].items()}
    assert encode(vector["epoch"], since, vector["schema"], vector["key"].encode()) == vector["text"]
    assert decode(vector["text"], vector["key"].encode()) == (vector["epoch"], since, vector["schema"])


def test_p14_a_cursor_altered_in_any_place_is_refused() -> None:
    vector = load("cursor")
    text, key = vector["text"], vector["key"].encode()
    for n in range(len(text)):
        for other in ("A", "B", "!", "=", "é"):
            if text[n] != other:
                with pytest.raises(BadCursor):
                    decode(text[:n] + other + text[n + 1 :], key)
    for short in ("", "A", text[:-1], text + "A", text + "="):
        with pytest.raises(BadCursor):
            decode(short, key)


def test_p26_an_exchange_gives_offset_and_uncertainty() -> None:
    for case in load("clock")["offsets"]:
        assert clock.offset(*case["t"]) == (case["offset"], case["uncertainty"])


@pytest.mark.parametrize("case", load("clock")["estimates"])
def test_p26_an_estimate_has_an_interval_and_says_how_it_is_known(case: dict[str, Any]) -> None:
    at = clock.Anchor(*case["anchor"]) if case["anchor"] else None
    got = clock.estimate(at, case["boot"], case["mono"], case["known_after"], case["received"])
    assert got == clock.Estimate(case["at"], case["low"], case["high"], case["quality"])


@pytest.mark.parametrize("case", load("merge")["cases"])
def test_p25_edits_merge_by_field_and_keep_what_they_override(case: dict[str, Any]) -> None:
    got = merge.merge(case["theirs"], case["edits"], case["policies"])
    told = [[c.field, c.was, c.theirs, c.mine, c.policy, c.kept, c.is_joined] for c in got.conflicts]
    assert merge.same(told, case["conflicts"])
    assert merge.same(got.apply, case["apply"])


@pytest.mark.parametrize("case", load("workflow")["cases"])
def test_p24_an_intent_comes_to_what_the_table_says(case: dict[str, Any]) -> None:
    got = workflow.decide(workflow.Situation(**case["at"]))
    assert (got.status, got.reason, list(got.flags)) == (case["status"], case["reason"], case["flags"])


@pytest.mark.parametrize("case", load("lineage")["cases"], ids=lambda c: c["name"])
def test_p73_what_an_author_had_seen_follows_from_the_base(case: dict[str, Any]) -> None:
    made = [lineage.Version(**version) for version in case["made"]]
    had = lineage.seen(case["base"], made, max(version.ver for version in made))
    assert (had.ver, sorted(had.own), had.first, had.last, had.is_known) == (
        case["ver"], sorted(case["own"]), case["first"], case["last"], case["is_known"],
    )  # fmt: skip
    assert [version.ver for version in lineage.unseen(made, had)] == case["unseen"]
    assert [version.ver for version in lineage.foreign(made, had)] == case["foreign"]
    assert lineage.is_interrupted(made, had) == case["is_interrupted"]


@pytest.mark.parametrize("case", load("plan")["cases"])
def test_p15_to_p17_a_pull_starts_where_the_plan_says(case: dict[str, Any]) -> None:
    cursor = {b: (p[0], p[1]) for b, p in case["cursor"].items()}
    got = feed.plan(cursor, case["scope"], case["horizons"], case["resetting"])
    assert ({b: list(p) for b, p in got.since.items()}, got.drop, got.reset) == (
        case["since"], case["drop"], case["reset"],
    )  # fmt: skip


@pytest.mark.parametrize("trace", load("ordering")["traces"], ids=lambda t: t["name"])
def test_p7_to_p10_ops_are_new_known_forked_or_an_incident(trace: dict[str, Any]) -> None:
    head = Head(load("ordering")["replica"], trace.get("start_seq", 1))
    verdicts = []
    for op in trace["ops"]:
        fp = identity.fingerprint(op["body"])
        known = trace["known"].get(op["body"])
        framed = Framed(op["seq"], op.get("prev", head.head), op["body"], fp, op["body"])
        try:
            verdicts.append(take(head, framed, identity.fingerprint(known) if known else None))
        except Forked:
            verdicts.append("forked")
    assert (verdicts, head.next_seq) == (trace["verdicts"], trace["next_seq"])


def test_v4_the_checksum_that_version_1_leaves_room_for_is_reproducible() -> None:
    vector, total = load("checksum"), 0
    for kind, ent, ver, digest in vector["members"]:
        first = hashlib.sha256(f"{kind}|{ent}|{ver}".encode()).digest()[:8]
        assert first.hex() == digest
        total = (total + int.from_bytes(first, "big")) % 2**64
    assert f"{total:016x}" == vector["sum"]
