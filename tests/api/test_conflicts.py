"""GET /v1/conflicts and what follows over HTTP: a phone's late words, a supervisor who settles them, the number on the start page."""

import re

import pytest

from tests import make
from tests.cast import World, told


def quarrel(world: World, phone_login: str, desk_login: str, district: str) -> tuple[str, str]:
    """A problem whose text a desk and a phone changed at the same time: (problem, what the phone's person typed)."""
    phone = world.phone(phone_login)
    problem = make.problem(world, phone, world.site(district))
    base = {"ver": next(p["ver"] for p in phone.rows("problem") if p["id"] == problem.id)}
    ent, typed = {"t": "problem", "id": problem.id}, f"手机上写的 {problem.number}"
    desk = {"set": {"description": {"was": problem.description, "now": "桌面上写的"}}}
    done = world.desk(desk_login).post("/v1/ops", json={"verb": "problem.edit", "ent": ent, "base": base, "args": desk})
    assert done.json["status"] == "applied"
    mine = {"set": {"description": {"was": problem.description, "now": typed}}}
    late = phone.record("problem.edit", ("problem", problem.id), mine, base=base)
    assert (late["status"], late["flags"]) == ("applied", ["hard_conflict"])
    return problem.id, typed


def listed(world: World, login: str, **asked: object) -> dict[str, dict]:
    desk, found, after = world.desk(login), {}, None
    while True:
        page = desk.get("/v1/conflicts", query_string={"limit": 2, **asked, **({"after": after} if after else {})}).json
        found |= {c["ent_id"]: c for c in page["conflicts"]}
        after = page["next"]
        if after is None:
            return found


@pytest.mark.answers("problems.conflicts", 200)
def test_a_supervisor_settles_what_two_people_wrote_in_their_area(world: World) -> None:
    ours = [quarrel(world, "inspector_a", "zhangdian", "370303") for _ in range(3)]
    theirs, _ = quarrel(world, "inspector_b", "zichuan", "370302")
    found = listed(world, "zhangdian")
    assert {ent for ent, _ in ours} <= set(found) and theirs not in found
    ent, typed = ours[0]
    conflict = found[ent]
    assert (conflict["theirs"], conflict["mine"], conflict["present"]) == ("桌面上写的", typed, "桌面上写的")
    settle = {"verb": "conflict.resolve", "ent": {"t": "conflict", "id": conflict["id"]}, "args": {"was": "桌面上写的", "now": typed}}
    assert told(world.desk("zichuan").post("/v1/ops", json=settle)) == (404, "not_found")
    assert world.desk("zhangdian").post("/v1/ops", json=settle).json["status"] == "applied"
    assert ent not in listed(world, "zhangdian") and listed(world, "zhangdian", state="settled")[ent]["present"] == typed
    assert world.desk("city").get(f"/v1/problems/{ent}").json["problem"]["description"] == typed


def test_the_words_of_the_one_who_was_late_reach_every_phone_as_a_note(world: World) -> None:
    ent, typed = quarrel(world, "inspector_a", "zhangdian", "370303")
    row = next(p for p in world.any_phone("inspector_a").rows("problem") if p["id"] == ent)
    assert [(n["kind"], n["text"]) for n in row["notes"]] == [("unmerged_edit", typed)]


def test_the_start_page_tells_a_supervisor_how_many_wait_and_nobody_else(world: World) -> None:
    quarrel(world, "inspector_a", "zhangdian", "370303")
    waiting = world.desk("zhangdian").get("/v1/conflicts").json["waiting"]
    (shown,) = re.findall(r'id="conflicts"><b>(\d+)</b>', world.desk("zhangdian").get("/").text)
    assert int(shown) == waiting >= 1
    assert 'id="conflicts"' not in world.desk("auditor").get("/").text


@pytest.mark.answers("problems.conflicts", 400, 403, 422)
def test_strangers_and_nonsense_are_told_so(world: World) -> None:
    assert told(world.desk("auditor").get("/v1/conflicts")) == (403, "forbidden")
    assert told(world.desk("nanding").get("/v1/conflicts")) == (403, "forbidden")
    for after in ("nonsense", "-1:x", "99999999999999999:x", "5:"):
        assert told(world.desk("city").get(f"/v1/conflicts?after={after}")) == (400, "bad_cursor")
    for query in ("limit=0", "limit=many", "state=open"):
        assert told(world.desk("city").get(f"/v1/conflicts?{query}")) == (422, "invalid")


def test_an_op_for_a_merged_problem_tells_its_phone_where_it_went(world: World) -> None:
    phone = world.phone("inspector_a")
    ent, other = (make.problem(world, phone, world.site()).id for _ in range(2))
    merge = {"verb": "problem.merge", "ent": {"t": "problem", "id": ent}, "base": {"ver": 2}, "args": {"into": other, "note": "同一处"}}
    assert world.desk("zhangdian").post("/v1/ops", json=merge).json["status"] == "applied"
    sent = phone.record("problem.note", ("problem", ent), {"text": "已拍照"})
    assert (sent["status"], sent["to"]) == ("redirected", other)
    (ack,) = phone.pull(unacked=[sent["op"]])["acks"]
    assert (ack["status"], ack["to"]) == ("redirected", other)
    rows = {p["id"]: p for p in phone.rows("problem")}
    assert (rows[ent]["state"], rows[ent]["merged_into"]) == ("merged", other)
    assert [n["op"] for n in rows[other]["notes"]] == [sent["op"]]
    numbers = {row["number"] for row in world.desk("city").get("/v1/ledgers/lists/problems").json["rows"]}
    assert rows[other]["number"] in numbers and rows[ent]["number"] not in numbers, "it is counted once"


def test_a_deleted_problem_leaves_the_phones_and_comes_back_with_what_waited_for_it(world: World) -> None:
    phone = world.phone("inspector_a")
    ent = make.problem(world, phone, world.site()).id
    act = {"verb": "problem.act", "ent": {"t": "problem", "id": ent}, "args": {"action": "delete", "note": "误录"}}
    assert told(world.desk("city").post("/v1/ops", json=act)) == (409, "refused"), "without a base nobody has seen anything"
    assert world.desk("city").post("/v1/ops", json=act | {"base": {"ver": 2}}).json["status"] == "applied"
    assert ent not in {p["id"] for p in phone.rows("problem")}
    parked = phone.record("problem.note", ("problem", ent), {"text": "还在"})
    assert (parked["status"], parked["reason"]) == ("parked", "target_deleted")
    repair = {"verb": "op.restore", "ent": {"t": "op", "id": parked["op"]}, "args": {}}
    assert world.desk("zhangdian").post("/v1/ops", json=repair).json["status"] == "applied"
    back = next(p for p in phone.rows("problem") if p["id"] == ent)
    assert back["state"] == "found" and [n["text"] for n in back["notes"]] == ["还在"]
