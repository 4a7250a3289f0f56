"""A problem's page over HTTP: the forms are exactly the steps that the table gives its reader now, each does what it says, and one
that is refused says why beside its field and keeps what was typed. How it looks is tests/pages'."""

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from backend.now import now_utc
from backend.problems import rules, table
from backend.problems.models import Problem, ProblemEvent
from backend.supervision.models import Proceeding, TransferSide
from backend.workdays import local_date
from tests import make
from tests.cast import A_SITE, CAST, World

# Nothing here differs between the databases but what they are asked; on PostgreSQL in `make test-full`.
pytestmark = pytest.mark.parametrize("world", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)], indirect=True)
ITEMS = iter(code for code in make.items() if code not in (make.ITEM,))
TODAY = local_date(now_utc())
DESKS = ("city", "zhangdian", "nanding", "education", "kindergarten", "auditor", "admin")
PLAIN: dict[str, Any] = {
    "is_work_stopped": False, "waits_for": None, "waits_id": None, "grade": "general", "is_candidate_major": False, "is_listed": False,
    "listed_level": None, "is_accepted": False, "missing_photos": 0, "department_id": "education", "merged_into": None,
}  # fmt: skip
LISTED = {"is_listed": True, "listed_level": "city", "grade": "major"}
SITUATIONS: tuple[dict[str, Any], ...] = (
    *({"state": state} for state in table.STEPS),
    {"state": "found", "is_candidate_major": True},
    {"state": "assigned", "is_work_stopped": True},
    {"state": "assigned", "waits_for": "extension"},
    {"state": "fixing", "grade": "major"},
    {"state": "fix_reported", "missing_photos": 2},
    {"state": "fix_reported", "waits_for": "acceptance"},
    {"state": "fix_reported", **LISTED, "waits_for": "acceptance"},
    {"state": "fix_reported", **LISTED, "is_accepted": True},
)
DECISIONS = {"grant_extension", "refuse_extension", "pass_acceptance", "fail_acceptance"}
HOLDS = {
    table.EVIDENCE: lambda at: at["missing_photos"] == 0, table.NO_STOP: lambda at: not at["is_work_stopped"],
    table.ACCEPTED: lambda at: not at["is_listed"] or at["is_accepted"], table.UNLISTED: lambda at: not at["is_listed"],
    table.LISTED: lambda at: at["is_listed"], table.MAJOR: lambda at: at["grade"] == "major",
    table.CANDIDATE: lambda at: at["is_candidate_major"], table.FREE: lambda at: at["waits_for"] is None,
    table.EXTENSION: lambda at: at["waits_for"] == "extension", table.ACCEPTANCE: lambda at: at["waits_for"] == "acceptance",
}  # fmt: skip


@pytest.fixture(scope="module")
def case(world: World) -> str:
    """Id of a problem at the kindergarten of the cast."""
    found = make.problem(world, world.any_phone("inspector_a"), A_SITE)
    return str(found.id)


def other(world: World) -> str:
    """Number of an open problem at the same place."""
    return str(make.problem(world, world.any_phone("inspector_a"), A_SITE, next(ITEMS)).number)


def put(world: World, case: str, situation: dict[str, Any]) -> dict[str, Any]:
    """The problem stands so now: whatever led there."""
    at = {**PLAIN, **situation}
    named = {"kind": at["waits_for"] or "listing", "status": "open" if at["waits_for"] else "active"}
    name, day = f"pr-{make.new_id()}", TODAY + timedelta(days=30)
    world.change(
        update(Proceeding).where(Proceeding.kind == "listing").values(status="delisted"),
        insert(Proceeding).values(id=name, problem_id=case, area_path="370300/370303", opened_by="u-nobody", opened_at=now_utc(), due_on=day,
                                  said={"until": (day + timedelta(days=9)).isoformat(), "reason": "（示例）"}, **named),
        update(Problem).where(Problem.id == case).values(
            **{**at, "waits_id": name if at["waits_for"] else None}, is_open=rules.is_open(at["state"]), open_key=None, due_on=day),
    )  # fmt: skip
    return at


def offered(page: str) -> set[str]:
    return set(re.findall(r'data-action="(\w+)" data-step="true"', page))


def given_by_the_table(role: str, at: dict[str, Any]) -> set[str]:
    so_already = {"stop_work"} if at["is_work_stopped"] else {"lift_stop"}
    so_already |= {"list"} if at["is_listed"] else set()
    steps = {action for action, step in table.STEPS[at["state"]].items() if role in step.who and all(HOLDS[m](at) for m in step.must)}
    if at["listed_level"] == "city" and role == "district":  # what the city has listed is decided about by the city
        steps -= DECISIONS
    return steps - (so_already if rules.is_open(at["state"]) else set())


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda at: " ".join(str(v) for v in at.values()))
@pytest.mark.answers("console.problem", 200)
def test_the_forms_shown_to_each_reader_are_exactly_the_steps_of_the_table(world: World, case: str, situation: dict[str, Any]) -> None:
    at = put(world, case, situation)
    for login in DESKS:
        answer = world.desk(login).get(f"/problem/{case}")
        assert answer.status_code == 200, login
        assert offered(answer.text) == given_by_the_table(CAST[login].role, at), login


class Form:
    """A form as a browser has it: its hidden fields, and what its other fields are."""

    def __init__(self, page: str, action: str) -> None:
        (self.html,) = re.findall(rf'<details class="step" data-action="{action}".*?</details>', page, re.DOTALL)
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', self.html)
        self.data: dict[str, Any] = {name: unescape(value) for name, value in hidden}
        shown = re.findall(r'<(input type="date"|input type="file"|input|select|textarea) [^>]*name="(\w+)"', self.html.replace('type="hidden" name', ""))
        self.kinds = {name: tag for tag, name in shown}

    def filled(self, **typed: Any) -> dict[str, Any]:
        return {**self.data, **{name: self._value(name, tag) for name, tag in self.kinds.items()}, **typed}

    def _value(self, name: str, tag: str) -> Any:
        if tag.endswith('"file"'):
            return (io.BytesIO(make.picture()), "fix.jpg")
        if tag == "select":
            options = re.search(rf'name="{name}".*?</select>', self.html, re.DOTALL)
            assert options
            return {"area_id": "370302", "department_id": "market"}.get(name) or re.findall(r'value="([^"]+)"', options[0])[0]
        if tag.endswith('"date"'):
            return (TODAY + timedelta(days=50)).isoformat()
        return {"posts": "大队长（示例）\n科长（示例）\n督导（示例）"}.get(name, "说明（示例）")


def form(client: Any, case: str, action: str) -> Form:
    return Form(client.get(f"/problem/{case}").text, action)


def send(client: Any, case: str, data: dict[str, Any], language: str = "zh") -> Any:
    return client.post(f"/problem/{case}?lang={language}", data=data, content_type="multipart/form-data")


def pairs() -> Iterator[tuple[str, str]]:
    """Each step that the table gives to each role of a desk, once."""
    for login in DESKS:
        seen: set[str] = set()
        for at in SITUATIONS:
            seen |= given_by_the_table(CAST[login].role, {**PLAIN, **at})
        yield from ((login, action) for action in sorted(seen))


@pytest.mark.parametrize("login", [login for login in DESKS if any(login == one for one, _ in pairs())])
@pytest.mark.answers("console.act", 302)
def test_each_form_of_each_role_does_what_it_says(world: World, case: str, login: str) -> None:
    client, done = world.desk(login), []
    for action in [action for one, action in pairs() if one == login]:
        at = next(at for at in SITUATIONS if action in given_by_the_table(CAST[login].role, {**PLAIN, **at}))
        put(world, case, at)
        typed = {"into": other(world)} if action == "merge" else {}
        answer = send(client, case, form(client, case, action).filled(**typed))
        assert answer.status_code == 302 and answer.headers["Location"].endswith("as=applied"), (action, answer.text[-3000:])
        done.append(action)
    lines = {row.action for row in world.look(select(ProblemEvent.action).where(ProblemEvent.problem_id == case, ProblemEvent.actor_id == CAST[login].id))}
    assert set(done) <= lines
    assert "已办理" in client.get(answer.headers["Location"]).text


def test_who_asked_is_offered_no_decision(world: World, case: str) -> None:
    put(world, case, {"state": "assigned", "waits_for": "extension"})
    world.change(update(Proceeding).where(Proceeding.problem_id == case).values(opened_by="u-city"))
    assert not offered(world.desk("city").get(f"/problem/{case}").text) & DECISIONS
    assert offered(world.desk("zhangdian").get(f"/problem/{case}").text) & DECISIONS


# action, who, what the others did meanwhile, what is typed → status, a part of what is said, beside which field ("" none)
NONE = "no file"
REFUSALS: tuple[tuple[str, str, dict[str, Any], dict[str, Any], int, str, str, str], ...] = (
    ("return", "kindergarten", {}, {"note": " "}, 422, "请写明理由", "Say why", "note"),
    ("return", "kindergarten", {}, {"note": "字" * 4001}, 422, "过长或不符合要求", "Too long, or it does not fit", "note"),
    ("report_fixed", "kindergarten", {}, {"photos": NONE}, 422, "须附整改后的照片", "A photo of the fix is needed", "photos"),
    ("merge", "city", {}, {"into": "没有这个号"}, 422, "辖区内没有这个编号", "There is no problem of this number", "into"),
    ("ask_extension", "kindergarten", {}, {"until": "2020-01-01"}, 422, "须晚于现定期限", "Must be later", "until"),
    ("consult", "city", {}, {"note": ""}, 422, "此项必填", "This must be filled in", "note"),
    ("assign", "zhangdian", {}, {"department_id": "没有"}, 422, "没有这个部门", "There is no such department", "department_id"),
    ("decide_major", "city", {}, {"posts": "一人（示例）"}, 422, "至少三人", "At least three", "posts"),
    ("return", "kindergarten", {"state": "closed"}, {}, 409, "当前状态已不允许这一步", "does not allow this step", "none"),
    ("close", "city", {"state": "fix_reported", "is_work_stopped": True}, {}, 409, "不能销号", "cannot be closed", "none"),
)  # fmt: skip
BEGIN = {"close": {"state": "fix_reported"}, "consult": {"state": "found", "is_candidate_major": True}}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: f"{row[0]}: {row[6]}")
def test_a_refused_form_says_why_beside_its_field_and_keeps_what_was_typed(world: World, case: str, row: Any, language: str) -> None:
    action, login, meanwhile, typed, status, zh, en, beside = row
    put(world, case, BEGIN.get(action, {"state": "assigned"}))
    client = world.desk(login)
    data = form(client, case, action).filled(**{"note": "老师，您好 <b>（示例）", **typed} if "note" in form(client, case, action).kinds else typed)
    data = {name: (io.BytesIO(b""), "") if value is NONE else value for name, value in data.items()}
    if meanwhile:
        put(world, case, meanwhile)
    answer = send(client, case, data, language)
    page = unescape(answer.text)
    assert answer.status_code == status and {"zh": zh, "en": en}[language] in page, page[-2500:]
    if beside != "none":
        again = Form(answer.text, action)
        assert ' open>' in again.html and 'aria-invalid="true"' in again.html
        kept = [value for name, value in data.items() if name not in form(client, case, action).data and value != "没有" and isinstance(value, str)]
        assert all(value in unescape(again.html) for value in kept), kept
        assert "<b>" not in again.html
    assert "role=\"alert\"" in answer.text


@pytest.mark.answers("console.act", 409)
def test_who_ends_a_danger_on_an_old_page_is_told_to_look_again(world: World, case: str) -> None:
    put(world, case, {"state": "fix_reported"})
    client = world.desk("city")
    data = form(client, case, "close").filled()
    op = {"verb": "problem.observe", "ent": {"t": "problem", "id": case}, "args": {"seen": "danger", "note": "仍在（示例）"}}
    assert world.desk("zhangdian").post("/v1/ops", json=op).status_code == 200
    answer = send(client, case, data)
    assert answer.status_code == 409 and "您打开本页之后情况有变" in answer.text


def test_a_photo_of_a_refused_form_is_kept_and_sent_with_the_next_try(world: World, case: str) -> None:
    put(world, case, {"state": "fixing"})
    client = world.desk("kindergarten")
    data = form(client, case, "report_fixed").filled(note="字" * 4001)
    refused = send(client, case, data)
    assert refused.status_code == 422 and "已上传的照片 1" in refused.text
    again = Form(refused.text, "report_fixed")
    assert send(client, case, {**again.data, "note": "整改完毕（示例）"}).status_code == 302
    (row,) = world.look(select(ProblemEvent.photos).where(ProblemEvent.problem_id == case, ProblemEvent.note == "整改完毕（示例）"))
    assert row.photos == [again.data["kept"]]
    assert world.look(select(Problem.missing_photos, Problem.state).where(Problem.id == case)) == [(0, "fix_reported")]


@pytest.mark.answers("console.act", 422)
def test_what_is_no_picture_is_said_so_and_nothing_is_done(world: World, case: str) -> None:
    put(world, case, {"state": "fixing"})
    client = world.desk("kindergarten")
    answer = send(client, case, form(client, case, "report_fixed").filled(photos=(io.BytesIO(b"GIF no"), "x.jpg")))
    assert answer.status_code == 422 and "这不是能打开的照片" in answer.text
    assert world.look(select(Problem.state).where(Problem.id == case)) == [("fixing",)]


def test_a_form_that_is_sent_twice_is_one_step(world: World, case: str) -> None:
    put(world, case, {"state": "assigned"})
    client = world.desk("zhangdian")
    data = form(client, case, "stop_work").filled(note="连按两次（示例）")
    assert [send(client, case, dict(data)).status_code for _ in range(2)] == [302, 302]
    lines = select(ProblemEvent.n).where(ProblemEvent.problem_id == case, ProblemEvent.note == "连按两次（示例）")
    assert len(world.look(lines)) == 1


@pytest.mark.parametrize("data", [{}, {"csrf": "wrong"}])
@pytest.mark.answers("console.act", 400)
def test_a_form_of_another_page_does_nothing(world: World, case: str, data: dict[str, str]) -> None:
    put(world, case, {"state": "assigned"})
    whole = form(world.desk("zhangdian"), case, "stop_work").filled()
    answer = send(world.desk("zhangdian"), case, {**whole, "csrf": data.get("csrf", "")})
    assert answer.status_code == 400 and world.look(select(Problem.is_work_stopped).where(Problem.id == case)) == [(False,)]


@pytest.mark.parametrize("typed", [{"action": "escalate"}, {"action": "no such"}, {"action": ""}, {"about": "p-nobody"}, {"ver": "-1"}, {"ver": "9" * 30},
                                   {"note": "\0"}, {"op": "x" * 500}, {"kept": "../../etc"}, {"action": "list"}, {"action": "received"}])  # fmt: skip
def test_whatever_is_sent_by_hand_is_answered_and_never_by_500(world: World, case: str, typed: dict[str, str]) -> None:
    put(world, case, {"state": "assigned"})
    client = world.desk("kindergarten")
    answer = send(client, case, {**form(client, case, "return").filled(), **typed})
    assert answer.status_code in (302, 403, 404, 409, 422)


@pytest.mark.answers("console.problem", 404)
@pytest.mark.answers("console.act", 403, 404)
def test_who_does_not_see_a_problem_has_no_page_of_it_and_no_step(world: World, case: str) -> None:
    put(world, case, {"state": "assigned"})
    data = form(world.desk("zhangdian"), case, "stop_work").filled()
    world.change(update(TransferSide).values(department_id=None, area_path="370300/370303"))  # whatever was sent to the neighbours
    for login in ("zichuan", "inspector_a", "expert"):
        client = world.desk(login)
        assert client.get(f"/problem/{case}").status_code == 404
        csrf = re.findall(r'name="csrf" value="([^"]+)"', client.get("/").text)[0]
        assert send(client, case, {**data, "csrf": csrf, "op": make.new_id()}).status_code == 404
    auditor = world.desk("auditor")
    csrf = re.findall(r'name="csrf" value="([^"]+)"', auditor.get("/").text)[0]
    assert send(auditor, case, {**data, "csrf": csrf, "op": make.new_id()}).status_code == 403
    assert world.look(select(Problem.is_work_stopped).where(Problem.id == case)) == [(False,)]


@pytest.mark.answers("console.problem", 302)
def test_a_stranger_is_sent_to_sign_in(world: World, case: str) -> None:
    assert world.anonymous().get(f"/problem/{case}").headers["Location"] == "/login"


@pytest.mark.answers("console.act", 413)
def test_a_form_that_never_ends_is_refused(world: World, case: str) -> None:
    client = world.desk("zhangdian")
    answer = client.post(f"/problem/{case}", data={"csrf": "x" * 41_000_000})
    assert answer.status_code == 413


def test_a_transfer_is_received_and_answered_by_who_sees_nothing_else_of_the_problem(world: World, case: str) -> None:
    put(world, case, {"state": "assigned"})
    city = world.desk("city")
    sent = send(city, case, form(city, case, "inform").filled(department_id="market"))
    assert sent.status_code == 302, sent.text
    name = world.look(select(Proceeding.id).where(Proceeding.kind == "transfer").order_by(Proceeding.opened_at.desc()))[0].id
    world.change(update(TransferSide).where(TransferSide.proceeding_id == name, TransferSide.box == "received").values(department_id="education"),
                 update(Problem).where(Problem.id == case).values(department_id="police"))  # fmt: skip
    client = world.desk("education")
    page = client.get(f"/problem/{case}").text
    assert offered(page) == set() and "仅列答复所需" in page and 'id="history"' not in page
    for action in ("received", "answered"):
        answer = send(client, case, form(client, case, action).filled())
        assert answer.status_code == 302 and answer.headers["Location"].endswith("as=applied"), action
    assert world.look(select(Proceeding.status).where(Proceeding.id == name)) == [("answered",)]


def test_a_listed_hazards_unit_reports_its_progress(world: World, case: str) -> None:
    put(world, case, {"state": "fixing", **LISTED})
    client = world.desk("kindergarten")
    answer = send(client, case, form(client, case, "progress").filled(text="已完成一半（示例）"))
    assert answer.status_code == 302 and answer.headers["Location"].endswith("as=applied")
    assert "已完成一半（示例）" in client.get(f"/problem/{case}").text
