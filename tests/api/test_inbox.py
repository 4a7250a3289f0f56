"""GET /v1/inbox, POST /v1/inbox/read: who is told of what, as one person sees it, and that nobody is told of more than they see."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.access.scope import SYSTEM
from backend.notices import fanout
from backend.notices.models import NoticeFact
from backend.now import now_utc
from backend.ops.apply import submit
from backend.problems.models import Problem
from backend.sync import silence
from tests import make
from tests.cast import A_SITE, CAST, CITY, A, World, told

LATER = (datetime.now(UTC) + timedelta(days=1)).isoformat()


def hand_out(world: World) -> int:
    with world.app.app_context():
        return fanout.deliver(now_utc())


def inbox(world: World, login: str, **asked: Any) -> list[dict[str, Any]]:
    """All lines, page by page."""
    desk, found, after = world.desk(login), [], None
    while True:
        answer = desk.get("/v1/inbox", query_string={"limit": 3, **asked, **({"after": after} if after else {})})
        assert answer.status_code == 200, answer.text
        found += answer.json["notices"]
        after = answer.json["next"]
        if after is None:
            return found


def about(world: World, login: str, problem: Any, **asked: Any) -> set[str]:
    return {n["kind"] for n in inbox(world, login, **asked) if n["problem"] == problem.id}


def unread(world: World, login: str) -> int:
    return int(world.desk(login).get("/v1/inbox?limit=1").json["unread"])


def read_all(world: World, login: str, **more: Any) -> dict[str, Any]:
    answer = world.desk(login).post("/v1/inbox/read", json={"until": LATER, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def ask(world: World, login: str, verb: str, problem: Any, args: dict[str, Any]) -> None:
    """An op of somebody who has seen the problem as it is."""
    (now,) = world.look(Problem.__table__.select().where(Problem.id == problem.id))
    op = {"verb": verb, "ent": {"t": "problem", "id": problem.id}, "base": {"ver": now.ver}, "args": args}
    answer = world.desk(login).post("/v1/ops", json=op)
    assert answer.status_code == 200, answer.text


def step(world: World, login: str, problem: Any, action: str) -> None:
    ask(world, login, "problem.act", problem, make.act(action, note="说明（示例）"))


def to(world: World, problem: Any, department: str) -> None:
    ask(world, "zhangdian", "problem.assign", problem, make.assign(department))


@pytest.mark.answers("notices.inbox_page", 200)
def test_a_department_is_told_what_is_theirs_and_the_other_district_is_not(world: World) -> None:
    problem = make.problem(world, world.any_phone("inspector_a"), A_SITE)
    to(world, problem, "education")
    assert hand_out(world) > 0
    line = next(n for n in inbox(world, "education") if n["problem"] == problem.id)
    assert line["kind"] == "problem.assigned" and line["data"]["number"] == problem.number and problem.number in line["text"]["zh"]
    assert about(world, "kindergarten", problem) == {"problem.assigned"}
    assert about(world, "zichuan", problem) == set() and about(world, "inspector_b", problem) == set()


def test_nobody_is_told_of_what_they_did_and_nothing_is_told_twice(world: World) -> None:
    problem = make.problem(world, world.any_phone("inspector_a"), world.site())
    step(world, "zhangdian", problem, "stop_work")
    hand_out(world)
    assert about(world, "zhangdian", problem) == set() and about(world, "city", problem) == {"problem.work_stopped"}
    assert hand_out(world) == 0 and world.look(NoticeFact.__table__.select()) == []


def test_what_happens_again_to_the_same_subject_is_one_line_until_it_is_read(world: World) -> None:
    problem = make.problem(world, world.any_phone("inspector_a"), world.site())
    for _ in range(3):
        step(world, "city", problem, "stop_work")
        step(world, "city", problem, "lift_stop")
    hand_out(world)
    stopped = [n for n in inbox(world, "zhangdian") if (n["problem"], n["kind"]) == (problem.id, "problem.work_stopped")]
    assert [n["count"] for n in stopped] == [3] and "×3" in stopped[0]["text"]["zh"]
    read_all(world, "zhangdian")
    step(world, "city", problem, "stop_work")
    hand_out(world)
    stopped = [n for n in inbox(world, "zhangdian") if (n["problem"], n["kind"]) == (problem.id, "problem.work_stopped")]
    assert [(n["count"], n["read_at"] is None) for n in stopped] == [(1, True), (3, False)]


@pytest.mark.answers("notices.mark_read", 200)
def test_what_came_after_the_screen_was_drawn_stays_unread(world: World) -> None:
    problem = make.problem(world, world.any_phone("inspector_a"), world.site())
    to(world, problem, "education")
    hand_out(world)
    seen = inbox(world, "education", show="unread")[0]
    to(world, problem, "market")
    to(world, problem, "education")
    hand_out(world)
    done = read_all(world, "education", ids=[seen["id"]], until=seen["at"])
    assert done["read"] == 0 and done["unread"] == unread(world, "education") > 0
    assert read_all(world, "education")["unread"] == 0 and inbox(world, "education", show="unread") == []


def test_who_loses_a_subject_loses_its_lines_and_their_count_at_once(world: World) -> None:
    problem = make.problem(world, world.any_phone("inspector_a"), world.site())
    to(world, problem, "education")
    hand_out(world)
    before = unread(world, "education")
    assert about(world, "education", problem)
    world.change(Problem.__table__.update().where(Problem.id == problem.id).values(department_id="market"))
    assert about(world, "education", problem) == set() and unread(world, "education") == before - 1
    world.change(Problem.__table__.update().where(Problem.id == problem.id).values(department_id="education"))
    assert unread(world, "education") == before


def test_nobody_marks_another_persons_lines(world: World) -> None:
    problem = make.problem(world, world.any_phone("inspector_a"), world.site())
    to(world, problem, "education")
    hand_out(world)
    theirs = [n["id"] for n in inbox(world, "education", show="unread")]
    assert read_all(world, "city", ids=theirs)["read"] == 0 and unread(world, "education") > 0


def test_an_op_that_could_not_be_carried_out_is_told_to_its_author_and_to_who_may_repair_it(world: World) -> None:
    phone = world.any_phone("inspector_a")
    for _ in range(3):
        assert phone.record("problem.act", ("problem", "p-nobody"), make.act("close"))["status"] == "parked"
    hand_out(world)
    for login in ("inspector_a", "zhangdian", "city"):
        lines = [n for n in inbox(world, login) if n["kind"] == "op.parked"]
        assert [(n["count"], n["ent_id"]) for n in lines] == [(3, CAST["inspector_a"].id)], login
    assert not [n for n in inbox(world, "zichuan") if n["kind"] == "op.parked"]


def test_a_sweep_is_told_in_the_districts_that_it_goes_to(world: World) -> None:
    submit_in(world, "sweep.open", make.sweep(f"t-{make.new_id()[:8]}"), ("sweep", make.new_id()))
    hand_out(world)
    assert "sweep.opened" in {n["kind"] for n in inbox(world, "zhangdian")}


def papers(world: World, login: str, name: str) -> list[str]:
    return [n["kind"] for n in inbox(world, login) if n["ent_id"] == name]


def test_what_goes_from_office_to_office_is_told_to_the_office_on_the_other_side_and_to_no_other(world: World) -> None:
    problem, given, ordered = make.problem(world, world.any_phone("inspector_a"), world.site()), make.new_id(), make.new_id()
    offices = [{"area": A, "department": None}, {"area": CITY, "department": "education"}]
    for login, verb, name, args in (
        ("city", "handover.issue", given, {"to": offices[0], "due_on": "2099-12-31", "problems": [problem.id]}),
        ("zhangdian", "handover.sign", given, {}),
        ("zhangdian", "handover.reply", given, {"results": [{"problem": problem.id, "result": "cannot", "note": "待资金（示例）"}]}),
        ("city", "handover.judge", given, {"problems": [problem.id], "accepted": True, "note": ""}),
        ("city", "handover.close", given, {"note": "理由采纳（示例）"}),
        ("city", "order.issue", ordered, {"kind": "special", "year": 2026, "title": "护校（示例）", "content": "落实（示例）",
                                          "due_on": "2099-12-31", "to": offices}),
        ("education", "order.reply", ordered, {"text": "已落实（示例）"}),
    ):  # fmt: skip
        answer = world.desk(login).post("/v1/ops", json={"verb": verb, "ent": {"t": verb.partition(".")[0], "id": name}, "args": args})
        assert answer.status_code == 200, (verb, answer.text)
    hand_out(world)
    seen = {login: (sorted(papers(world, login, given)), papers(world, login, ordered)) for login in ("zhangdian", "education", "city", "zichuan", "nanding")}
    assert seen == {
        "zhangdian": (["handover.ended", "handover.issued", "handover.judged"], ["order.issued"]),
        "education": ([], ["order.issued"]),
        "city": (["handover.replied"], ["order.replied"]),
        "zichuan": ([], []),
        "nanding": ([], []),
    }


def submit_in(world: World, verb: str, args: dict[str, Any], ent: tuple[str, str]) -> None:
    with world.app.app_context():
        assert submit(verb, args, SYSTEM, ent=ent).status == "applied"


@pytest.mark.answers("notices.inbox_page", 400, 403, 422)
@pytest.mark.answers("notices.mark_read", 403, 422)
def test_what_is_asked_wrongly_is_refused(world: World) -> None:
    desk = world.desk("city")
    for cursor in ("x", "1:", "1:x", "99999999999999999:1", "1:²"):
        assert told(desk.get("/v1/inbox", query_string={"after": cursor})) == (400, "bad_cursor"), cursor
    assert told(desk.get("/v1/inbox?show=mine")) == (422, "invalid")
    assert told(desk.post("/v1/inbox/read", json={"until": "yesterday"})) == (422, "invalid")
    phone = world.phone("expert")
    submit_in(world, "user.change", {"is_active": False}, ("user", CAST["expert"].id))
    assert told(phone.ask("GET", "/v1/inbox")) == (403, "forbidden")
    assert told(phone.post("/v1/inbox/read", {"until": LATER})) == (403, "forbidden")


@pytest.mark.answers("console.inbox", 200, 302, 400)
@pytest.mark.answers("console.inbox_read", 302, 400, 413)
def test_the_page_shows_the_same_lines_and_a_button_that_marks_them_as_read(world: World) -> None:
    problem = make.problem(world, world.any_phone("inspector_a"), world.site())
    step(world, "zhangdian", problem, "stop_work")
    hand_out(world)
    desk = world.desk("education")
    to(world, problem, "education")
    hand_out(world)
    page = desk.get("/inbox").get_data(as_text=True)
    assert problem.number in page and f"<b>{unread(world, 'education')}</b>" in desk.get("/").get_data(as_text=True)
    csrf, until = re.search(r'name="csrf" value="([^"]+)"', page), re.search(r'name="until" value="(\d+)"', page)
    assert csrf and until
    assert told(desk.post("/inbox/read", data={"csrf": "x", "until": until[1]})) == (400, "csrf")
    assert told(desk.post("/inbox/read", data={"csrf": csrf[1], "until": "x"})) == (400, "bad_cursor")
    assert told(desk.post("/inbox/read", data={"csrf": "x" * 2_000_000})) == (413, "too_large")
    assert desk.post("/inbox/read", data={"csrf": csrf[1], "until": until[1]}).headers["Location"] == "/inbox"
    assert unread(world, "education") == 0 and 'id="bell"' in desk.get("/").get_data(as_text=True)
    assert told(desk.get("/inbox?after=x")) == (400, "bad_cursor") and world.anonymous().get("/inbox").status_code == 302
    assert "Notices" in desk.get("/inbox?lang=en").get_data(as_text=True)


def test_a_device_that_fell_silent_is_told_of_once_and_again_after_it_was_heard(world: World) -> None:
    phone, now = world.phone("inspector_b"), now_utc()
    with world.app.app_context():
        assert silence.tell(now) == 0, "it was heard a moment ago"
        later = now + timedelta(days=3)
        assert silence.tell(later) > 0 and fanout.deliver(later) > 0 and silence.tell(later + timedelta(hours=1)) == 0
    lines = [n for n in inbox(world, "zichuan") if n["kind"] == "device.silent"]
    assert phone.device in {n["ent_id"] for n in lines} and {n["count"] for n in lines} == {1}
    assert phone.device not in {n["ent_id"] for n in inbox(world, "zhangdian") if n["kind"] == "device.silent"}
