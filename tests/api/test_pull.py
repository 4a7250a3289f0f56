"""POST /sync/v1/pull: pages of one snapshot, in the form the device reads; what is not its own to see is in none of them."""

import base64
from typing import Any

import pytest
from sqlalchemy import select, update

from backend.feed.models import ServerMeta
from sync_protocol import tables
from sync_protocol.cursor import encode
from tests import make
from tests.cast import A_SITE, B_SITE, CAST, TEAM_A, TEAM_B, A, B, World, told


def ask(phone: Any, **more: Any) -> Any:
    return phone.post("/sync/v1/pull", {"proto": 1, "replica": phone.replica, "cursor": None, **more})


def whole(phone: Any, **more: Any) -> list[dict[str, Any]]:
    """All rows of a first pull, page by page."""
    page = ask(phone, **more).json
    rows = [*page["rows"], *tables.unpack(page.get("tables", []))]
    while not page["complete"]:
        page = ask(phone, **more | {"cursor": page["cursor"]}).json
        rows += [*page["rows"], *tables.unpack(page.get("tables", []))]
    return rows


@pytest.mark.answers("sync.pull", 200)
def test_a_first_pull_brings_the_team_and_its_district_and_nothing_of_its_sibling(world: World) -> None:
    phone = world.any_phone("inspector_a")
    make.problem(world, phone, world.site(A), team_id=TEAM_A)
    make.problem(world, world.any_phone("inspector_b"), world.site(B), team_id=TEAM_B)
    rows = whole(phone)
    assert {row["t"] for row in rows} == {"area", "department", "site", "template", "sweep", "team", "task", "inspection", "problem"}
    sites = {row["id"] for row in rows if row["t"] == "site"}
    assert A_SITE in sites and B_SITE not in sites
    assert {row["data"]["district_id"] for row in rows if row["t"] == "problem"} == {A}
    assert [row["id"] for row in rows if row["t"] == "team"] == [TEAM_A] and f"team:{TEAM_B}" not in {row["b"] for row in rows}


@pytest.mark.parametrize("schema", [1, 2, 99])
@pytest.mark.parametrize("limit", [97, 500, 5000])
@pytest.mark.answers("sync.pull", 200)
def test_pages_of_every_size_and_form_hold_the_same_rows(world: World, schema: int, limit: int) -> None:
    phone = world.any_phone("inspector_a")
    found = whole(phone, schema=schema, limit=limit)
    wanted = whole(phone, schema=schema)
    assert sorted((r["b"], r["t"], r["id"]) for r in found) == sorted((r["b"], r["t"], r["id"]) for r in wanted)


def test_a_pull_after_the_last_brings_only_what_changed_since(world: World) -> None:
    phone = world.phone("inspector_a")
    page = ask(phone).json
    while not page["complete"]:
        page = ask(phone, cursor=page["cursor"]).json
    problem = make.problem(world, phone, world.site())
    later = ask(phone, cursor=page["cursor"]).json
    assert problem.id in {row["id"] for row in later["rows"]} and len(later["rows"]) < 10


def test_own_ops_are_told_of_and_those_of_others_are_not(world: World) -> None:
    mine, theirs = world.phone("inspector_a"), world.phone("inspector_b")
    ops = [phone.record("problem.report", ("finding", make.new_id()), make.report(world.site()))["op"] for phone in (mine, theirs)]
    page = ask(mine, unacked=[*ops, make.new_id()], limit=1).json
    assert [ack["op"] for ack in page["acks"]] == ops[:1]


@pytest.mark.parametrize("login", sorted(CAST))
@pytest.mark.answers("sync.pull", 403)
def test_only_who_works_in_the_field_pulls(world: World, login: str) -> None:
    is_field = CAST[login].role in ("inspector", "expert")
    answer = ask(world.any_phone(login), limit=1)
    assert answer.status_code == (200 if is_field else 403)
    stranger = ask(world.any_phone("auditor"))
    assert told(stranger) == (403, "forbidden")


@pytest.mark.answers("downloads.digest", 403)
@pytest.mark.answers("downloads.bundle", 403)
def test_only_who_works_in_the_field_asks_for_bundles_and_digests(world: World) -> None:
    desk = world.any_phone("auditor")
    assert told(desk.post("/sync/v1/digest", {"schema": 2, "bucket": "global"})) == (403, "forbidden")
    assert told(desk.ask("GET", "/sync/v1/bundles/nobody")) == (403, "forbidden")


@pytest.mark.answers("sync.pull", 409)
def test_the_cursor_of_another_history_is_told_the_present_one(world: World) -> None:
    phone, key = world.any_phone("inspector_a"), world.app.extensions["config"].secret_key.encode()
    answer = ask(phone, cursor=encode("another", {"global": (5, 0)}, 1, key))
    assert told(answer) == (409, "epoch_changed") and answer.json["epoch"] == phone.epoch


@pytest.mark.answers("sync.pull", 410)
def test_a_cursor_that_was_touched_at_any_place_is_invalid(world: World) -> None:
    phone = world.any_phone("inspector_a")
    cursor = ask(phone, limit=1).json["cursor"]
    for at in range(0, len(cursor), 7):
        other = "A" if cursor[at] != "A" else "B"
        assert told(ask(phone, cursor=cursor[:at] + other + cursor[at + 1 :], limit=1)) == (410, "cursor_invalid"), at
    forged = encode(phone.epoch, {"district:370302": (0, -1)}, 1, b"another key")
    for wrong in (cursor[:-1], cursor + "A", cursor + "=", "x", "张", base64.urlsafe_b64encode(b"{}").decode(), forged):
        assert told(ask(phone, cursor=wrong)) == (410, "cursor_invalid"), wrong


def test_a_cursor_does_not_widen_what_one_sees(world: World) -> None:
    """Its owner's buckets are decided anew at each pull: those of a sibling in a true cursor are dropped."""
    phone, key = world.any_phone("inspector_a"), world.app.extensions["config"].secret_key.encode()
    page = ask(phone, cursor=encode(phone.epoch, {f"district:{B}": (0, -1)}, 1, key)).json
    assert page["drop"] == [f"district:{B}"] and f"district:{B}" not in {row["b"] for row in page["rows"]}


@pytest.mark.parametrize("wrong", [
    {"limit": 0}, {"limit": "5"}, {"cursor": 5}, {"unacked": "x"}, {"unacked": ["x"] * 201}, {"unacked": [5]}, {"resetting": {"global": "x"}},
    {"resetting": {"global": -1}}, {"resetting": [5]}, {"proto": "1"}, {"schema": None}, {"replica": {}},
])  # fmt: skip
@pytest.mark.answers("sync.pull", 422)
def test_a_member_of_the_wrong_kind_is_named(world: World, wrong: dict[str, Any]) -> None:
    answer = ask(world.any_phone("inspector_a"), **wrong)
    assert told(answer) == (422, "invalid") and answer.json["errors"][0]["pointer"].startswith(f"/{next(iter(wrong))}")


@pytest.mark.parametrize("old", [{"proto": 0}, {"proto": -1}, {"schema": 0}])
@pytest.mark.answers("sync.pull", 426)
def test_a_client_too_old_to_be_told_anything_hears_so_and_still_pushes(world: World, old: dict[str, int]) -> None:
    phone = world.phone("inspector_a")
    answer = ask(phone, **old)
    assert told(answer) == (426, "upgrade_required") and answer.json["proto_min"] == 1
    assert phone.record("problem.report", ("finding", make.new_id()), make.report(world.site()))["status"] == "applied"


def test_a_pull_without_a_cursor_needs_no_member_at_all(world: World) -> None:
    assert world.any_phone("inspector_a").post("/sync/v1/pull", {}).status_code == 200


def test_what_is_durable_is_told(world: World) -> None:
    phone = world.any_phone("inspector_a")
    (before,) = world.look(select(ServerMeta.durable_clock))
    world.change(update(ServerMeta).values(durable_clock=before[0] + 1))
    assert ask(phone, limit=1).json["durable_seq"] == before[0] + 1
    world.change(update(ServerMeta).values(durable_clock=before[0]))
