"""GET /v1/parked, and what a supervisor does there over HTTP: their area's ops that wait for a person, page by page."""

import pytest

from tests import make
from tests.cast import World, told


def park(world: World, login: str, *items: str) -> list[str]:
    """Reports of unknown items at sites of the person's district: each is kept, parked."""
    phone, district = world.phone(login), "370303" if login == "inspector_a" else "370302"
    return [
        phone.record("problem.report", ("finding", make.new_id()), make.report(world.site(district), item, remark=f"写下的话 {item}"))["op"]
        for item in items
    ]


@pytest.mark.answers("ops.parked", 200)
def test_a_supervisor_sees_what_waits_in_their_area_page_by_page_with_the_words_that_were_typed(world: World) -> None:
    ours, theirs = park(world, "inspector_a", "Z1", "Z2", "Z3"), park(world, "inspector_b", "Z4")
    desk, found, after = world.desk("zhangdian"), [], None
    while True:
        page = desk.get("/v1/parked", query_string={"limit": 2, **({"after": after} if after else {})}).json
        found += page["ops"]
        after = page["next"]
        if after is None:
            break
    assert set(ours) <= {op["op"] for op in found} and not set(theirs) & {op["op"] for op in found}
    assert len({op["op"] for op in found}) == len(found)
    assert all("写下的话" in op["body"] and op["reason"] == "invalid" for op in found if op["op"] in ours)
    assert sum(c["count"] for c in page["counts"]) == len(found)


def test_only_the_asked_reason_is_listed(world: World) -> None:
    (op,) = park(world, "inspector_a", "Z5")
    desk = world.desk("zhangdian")
    assert op in {row["op"] for row in desk.get("/v1/parked?reason=invalid").json["ops"]}
    assert desk.get("/v1/parked?reason=conflict").json["ops"] == []


@pytest.mark.answers("ops.parked", 400, 403, 422)
def test_strangers_and_nonsense_are_told_so(world: World) -> None:
    assert told(world.desk("auditor").get("/v1/parked")) == (403, "forbidden")
    assert told(world.desk("city").get("/v1/parked?after=nonsense")) == (400, "bad_cursor")
    assert told(world.desk("city").get("/v1/parked?limit=0")) == (422, "invalid")
    assert told(world.desk("city").get("/v1/parked?limit=many")) == (422, "invalid")


def test_an_edit_over_http_settles_the_op_and_its_author_learns_of_it(world: World) -> None:
    phone, site = world.phone("inspector_a"), world.site()
    sent = phone.record("problem.report", ("finding", make.new_id()), make.report(site, "Z6"))
    desk = world.desk("zhangdian")
    right = {"verb": "op.edit", "ent": {"t": "op", "id": sent["op"]}, "args": {"args": make.report(site, "A105"), "note": "检查项写错"}}
    assert told(world.desk("zichuan").post("/v1/ops", json=right)) == (404, "not_found")
    assert desk.post("/v1/ops", json=right).json["status"] == "applied"
    (ack,) = phone.pull(unacked=[sent["op"]])["acks"]
    assert (ack["status"], ack["op"]) == ("superseded", sent["op"])
    assert sent["op"] not in {row["op"] for row in desk.get("/v1/parked?limit=500").json["ops"]}
    assert any(p["site_id"] == site and p["item"] == "A105" for p in phone.rows("problem"))
