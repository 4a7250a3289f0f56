"""What an act on record fills in on its document: the issuer writes nothing twice, what they write stands before it, and nothing is
filled in where there was no act. Who was told of a problem answers for it on paper, and nobody else."""

from typing import Any

import pytest

from backend.cli.user import add_user
from tests import make
from tests.cast import CITY, A, World, told


def op(world: World, login: str, verb: str, ent: tuple[str, str], **args: Any) -> Any:
    return world.desk(login).post("/v1/ops", json={"verb": verb, "ent": {"t": ent[0], "id": ent[1]}, "args": args})


def name_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json["result"]["proceeding"])


def issue(world: World, login: str, kind: str, problem: Any, answers: str | None = None, **fields: str) -> Any:
    return op(world, login, "document.issue", ("problem", problem.id), kind=kind, answers=answers, fields=fields)


def said(world: World, answer: Any) -> dict[str, str]:
    """The fields of a document that was issued, those that say something."""
    assert answer.status_code == 200, answer.text
    facts = world.desk("city").get(f"/v1/documents/{answer.json['result']['document']}").json["facts"]
    return {name: value for name, _, value in facts["fields"] if value}


@pytest.fixture(scope="module", autouse=True)
def departments(world: World) -> None:
    with world.app.app_context():
        for department in ("market", "sports"):
            add_user(department, f"{department}（示例）", "department", CITY, department, None)


@pytest.fixture
def raised(world: World) -> Any:
    return make.problem(world, world.any_phone("inspector_a"), world.site(A), "A104")


def test_an_extension_fills_in_its_request_and_its_decision_with_the_day_that_it_moved(world: World, raised: Any) -> None:
    assert told(issue(world, "education", "extension_request", raised)) == (422, "invalid"), "there is no act yet"
    due = {"due_on": {"was": raised.due_on.isoformat(), "now": "2099-06-01"}}
    assert op(world, "zhangdian", "problem.edit", ("problem", raised.id), set=due, note="").status_code == 200
    asked = {"until": "2099-07-01", "reason": "定制护栏（示例）", "measures": "围挡（示例）"}
    name = name_of(op(world, "education", "extension.ask", ("problem", raised.id), **asked))
    request = issue(world, "education", "extension_request", raised)
    assert said(world, request) == asked
    number = request.json["result"]["document"]
    assert told(issue(world, "zhangdian", "extension_decision", raised, number)) == (422, "invalid"), "it is not decided yet"
    assert op(world, "zhangdian", "extension.decide", ("extension", name), verdict="granted", until="2099-06-20", opinion="示例").status_code == 200
    decision = issue(world, "zhangdian", "extension_decision", raised, number)
    assert said(world, decision) == {"verdict": "同意", "until": "2099-06-20", "opinion": "示例"}
    facts = world.desk("city").get(f"/v1/documents/{decision.json['result']['document']}").json["facts"]
    assert (facts["due_before"], facts["problem"]["due_on"]) == ("2099-06-01", "2099-06-20")


def test_what_the_issuer_writes_stands_before_what_the_act_says(world: World, raised: Any) -> None:
    name_of(op(world, "zhangdian", "transfer.send", ("problem", raised.id), kind="inform", department_id="market", note="请处理（示例）"))
    fields = said(world, issue(world, "zhangdian", "handover", raised, opinion="另有意见（示例）", reply_by=" "))
    due_on = world.desk("zhangdian").get(f"/v1/problems/{raised.id}").json["proceedings"][0]["due_on"]
    assert fields == {"to": "市场监督管理局", "opinion": "另有意见（示例）", "reply_by": due_on}


def test_who_was_told_of_a_problem_receives_and_answers_it_on_paper_and_nobody_else_does(world: World, raised: Any) -> None:
    slip = issue(world, "zhangdian", "handover", raised, to="市场监督管理局").json["result"]["document"]
    market, sports = world.signed_in("u-market"), world.signed_in("u-sports")
    assert market.get(f"/v1/documents/{slip}").status_code == 404, "it was not told of it yet"
    name = name_of(op(world, "zhangdian", "transfer.send", ("problem", raised.id), kind="inform", department_id="market", note="示例"))

    def by(desk: Any, verb: str, ent: tuple[str, str], **args: Any) -> Any:
        return desk.post("/v1/ops", json={"verb": verb, "ent": {"t": ent[0], "id": ent[1]}, "args": args})

    def paper(desk: Any, kind: str, answers: str | None = slip) -> Any:
        return by(desk, "document.issue", ("problem", raised.id), kind=kind, answers=answers, fields={})

    assert told(paper(market, "receipt")) == (422, "invalid"), "it has not received it"
    assert by(market, "transfer.receive", ("transfer", name), opinion="收到（示例）").status_code == 200
    receipt = paper(market, "receipt")
    assert said(world, receipt)["opinion"] == "收到（示例）"
    assert by(market, "transfer.answer", ("transfer", name), result="已处理（示例）").status_code == 200
    assert said(world, paper(market, "feedback")) == {"result": "已处理（示例）"}
    number = receipt.json["result"]["document"]
    seen = [desk.get(f"/v1/documents/{one}.pdf").status_code for desk in (market, sports) for one in (slip, number)]
    assert seen == [200, 200, 404, 404]
    assert [told(paper(sports, kind)) for kind in ("receipt", "feedback")] == [(404, "not_found")] * 2
    assert told(paper(market, "immediate", None)) == (404, "not_found"), "it may answer, not order"


def test_a_re_inspection_tells_of_the_last_look_and_of_none_while_a_newer_fix_waits(world: World, raised: Any) -> None:
    phone = world.any_phone("inspector_a")
    assert told(issue(world, "zhangdian", "reinspection", raised)) == (422, "invalid")
    for width in (64, 65):
        photo = make.upload(phone, make.picture(width))
        fix = make.act("report_fixed", note="已清理（示例）", photos=[photo])
        assert phone.record("problem.act", ("problem", raised.id), fix)["status"] == "applied"
        assert told(issue(world, "zhangdian", "reinspection", raised)) == (422, "invalid")
        refused = op(world, "zhangdian", "problem.act", ("problem", raised.id), action="refuse_fix", note="仍有堆放（示例）")
        assert refused.status_code == 200, refused.text
        found = said(world, issue(world, "zhangdian", "reinspection", raised))
        assert (found["verdict"], found["opinion"]) == ("未整改", "仍有堆放（示例）")
