"""`document.issue`, GET /v1/documents…, GET /verify/…: who may issue what about what; a number and its digest stand or fall together."""

import io
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import orjson
import pypdf
import pytest

from backend.access.roles import PERMISSIONS
from backend.documents import handlers, rendering
from backend.documents.kinds import KINDS
from backend.documents.models import Document
from backend.journal.models import JournalEntry
from backend.now import now_utc
from backend.periods.rules import MEASURES
from backend.problems.models import Problem
from backend.workdays import local_date
from sync_protocol.identity import fingerprint
from tests import make
from tests.cast import A_SITE, A_TOWNSHIP, B_SITE, CITY, A, B, World, told
from tests.contract import DOCUMENT

ISSUERS = {"city": "city", "department": "education", "district": "zhangdian", "township": "nanding", "school": "kindergarten", "auditor": "auditor"}
NODES = {"city": CITY, "department": CITY, "district": A, "township": A_TOWNSHIP, "school": A_SITE, "auditor": CITY}
HOSTILE = '#panic("x") #read("/etc/passwd") *粗* $x^2$ = 标题 \\ // 注 ]#] 堃玥喆\n第二行'
ANSWERED = {kind.answers: name for name, kind in KINDS.items() if kind.answers}


def filled(kind: str, text: str = "请照此办理（示例）") -> dict[str, str]:
    """A value for everything that a kind asks for."""
    by_kind = {"date": "2026-12-30", "text": text}
    return {name: of.choices[0] if of.kind == "one" else by_kind[of.kind] for name, of in KINDS[kind].fields.items()}


def issue(world: World, login: str, kind: str, about: str, **more: Any) -> Any:
    args = {"kind": kind, "fields": more.pop("fields", filled(kind)), **more}
    return world.desk(login).post("/v1/ops", json={"verb": "document.issue", "ent": {"t": KINDS[kind].about, "id": about}, "args": args})


def issued(world: World, login: str, kind: str, about: str, **more: Any) -> dict[str, Any]:
    answer = issue(world, login, kind, about, **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json["result"]
    return found


@pytest.fixture(scope="module", autouse=True)
def story(world: World) -> dict[str, Any]:
    """A problem at the school that has people of its own (a duty of education), one in the other district, a major one."""
    a, b = world.any_phone("inspector_a"), world.any_phone("inspector_b")
    made = {"own": make.problem(world, a, A_SITE, "A103"), "b": make.problem(world, b, B_SITE), "major": make.problem(world, a, A_SITE, "A104")}
    world.change(Problem.__table__.update().where(Problem.id.in_([made["own"].id, made["major"].id])).values(department_id="education"))
    world.change(Problem.__table__.update().where(Problem.id == made["major"].id).values(grade="major"))
    args = {"to": {"area": A_TOWNSHIP, "department": "education"}, "due_on": "2099-12-31", "demand": "尽快整改（示例）", "problems": [made["major"].number]}
    slip = {"verb": "handover.issue", "ent": {"t": "handover", "id": "slip-1"}, "args": args}
    assert world.desk("city").post("/v1/ops", json=slip).status_code == 200
    today = local_date(now_utc())
    period = f"{today}/{today}"
    made["ledger"] = done(world, "ledger.publish", ("ledger", "city"), period=period, note=HOSTILE)
    make.problem(world, b, B_SITE, "A105")
    made["restated"] = done(world, "ledger.restate", ("ledger", made["ledger"]), note=HOSTILE)
    weights = dict.fromkeys(("coverage", "on_time", "lasting", "evidence"), 25)
    weigh = {"verb": "evaluation.weigh", "ent": {"t": "evaluation", "id": "city"}, "args": {"weights": weights}}
    assert world.desk("city").post("/v1/ops", json=weigh).status_code == 200
    made["evaluation"] = done(world, "evaluation.publish", ("evaluation", "city"), kind="district", period=period)
    return made


def done(world: World, verb: str, ent: tuple[str, str], **args: Any) -> str:
    answer = world.desk("city").post("/v1/ops", json={"verb": verb, "ent": {"t": ent[0], "id": ent[1]}, "args": args})
    assert answer.status_code == 200, answer.text
    return str(answer.json["result"]["number"])


def about_of(story: dict[str, Any], kind: str, role: str) -> str:
    published = {"period": "ledger", "restatement": "restated", "evaluation": "evaluation"}
    if kind in published:
        return str(story[published[kind]])
    return {"node": NODES.get(role, ""), "handover": "slip-1", "problem": str(story["major"].number)}[KINDS[kind].about]


def asked_first(world: World, story: dict[str, Any], kind: str) -> dict[str, str]:
    """The document that a kind answers, issued by the first who may."""
    first = KINDS[kind].answers
    if first is None:
        return {}
    role = next(role for role in ISSUERS if role in KINDS[first].who)
    return {"answers": issued(world, ISSUERS[role], first, about_of(story, first, role))["document"]}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_issued_by_the_roles_of_the_table_and_by_no_other(world: World, story: dict[str, Any], kind: str) -> None:
    more = asked_first(world, story, kind)
    for role, login in ISSUERS.items():
        answer = issue(world, login, kind, about_of(story, kind, role), **more)
        assert answer.status_code == (200 if role in KINDS[kind].who else 403), (role, answer.text)


@pytest.mark.parametrize("role", sorted(set(PERMISSIONS) - set(ISSUERS) - {"system"}))
def test_no_other_role_may_issue_anything(role: str) -> None:
    assert "document.issue" not in PERMISSIONS[role]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.answers("documents.pdf", 200)
def test_the_pdf_says_what_is_on_record_whatever_was_written(world: World, story: dict[str, Any], kind: str) -> None:
    role = next(role for role in ISSUERS if role in KINDS[kind].who)
    made = issued(world, ISSUERS[role], kind, about_of(story, kind, role), fields=filled(kind, HOSTILE), **asked_first(world, story, kind))
    answer = world.desk("city").get(f"/v1/documents/{made['document']}.pdf")
    assert answer.data.startswith(b"%PDF-") and answer.data == world.desk("city").get(f"/v1/documents/{made['document']}.pdf").data
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(answer.data)).pages)
    text = "".join(text.split()).replace("\u200b", "")
    assert KINDS[kind].title in text and made["document"] in text and made["digest"][:16] in text
    texts = sum(of.kind == "text" for of in KINDS[kind].fields.values())
    texts += kind in ("period", "restatement")  # the note of the publication
    assert text.count("".join(HOSTILE.split())) == texts, text
    if KINDS[kind].about in ("problem", "handover"):
        assert story["major"].number in text and "南定镇中心幼儿园" in text and "重大" in text


@pytest.mark.answers("documents.document", 200)
def test_the_digest_is_that_of_the_facts_and_stands_in_the_journal(world: World, story: dict[str, Any]) -> None:
    made = issued(world, "zhangdian", "rectification", story["own"].number)
    told_of = world.desk("zhangdian").get(f"/v1/documents/{made['document']}").json
    assert fingerprint(handlers.canonical(told_of["facts"])) == told_of["document"]["digest"] == made["digest"]
    (row,) = world.look(Document.__table__.select().where(Document.number == made["document"]))
    (entry,) = world.look(JournalEntry.__table__.select().where(JournalEntry.op_id == row.op_id))
    assert orjson.loads(entry.body)["summary"]["digest"] == made["digest"]


def test_a_document_sent_again_is_one_document(world: World, story: dict[str, Any]) -> None:
    op = {"op": make.new_id(), "verb": "document.issue", "ent": {"t": "problem", "id": story["own"].number},
          "args": {"kind": "immediate", "fields": {}}}  # fmt: skip
    first, again = (world.desk("zhangdian").post("/v1/ops", json=op).json for _ in range(2))
    assert first["result"] == again["result"]


def test_numbers_of_a_kind_run_on_without_a_gap(world: World, story: dict[str, Any]) -> None:
    numbers = [issued(world, "zhangdian", "immediate", story["own"].number)["document"] for _ in range(3)]
    assert [int(n[-6:]) - int(numbers[0][-6:]) for n in numbers] == [0, 1, 2]
    issue(world, "zhangdian", "immediate", "ZB-1999-000001")  # refused: takes no number
    assert int(issued(world, "zhangdian", "immediate", story["own"].number)["document"][-6:]) == int(numbers[-1][-6:]) + 1


@pytest.mark.parametrize(("login", "kind", "about", "status", "reason"), [
    ("zhangdian", "rectification", "b", 404, "target_missing"), ("zhangdian", "supervision", "own", 409, "guard_failed"),
    ("kindergarten", "extension_request", "b", 404, "target_missing"),
])  # fmt: skip
def test_what_is_not_ones_own_or_not_so_is_refused(
    world: World, story: dict[str, Any], login: str, kind: str, about: str, status: int, reason: str
) -> None:
    answer = issue(world, login, kind, story[about].number)
    assert (answer.status_code, answer.json.get("reason")) == (status, reason)


@pytest.mark.parametrize(("login", "node"), [("zhangdian", B), ("zhangdian", CITY), ("nanding", A), ("city", "370399")])
def test_a_list_of_a_place_that_is_not_ones_own_is_refused(world: World, login: str, node: str) -> None:
    assert issue(world, login, "list_problem", node).status_code == 404


@pytest.mark.parametrize("args", [
    {"kind": "handover", "fields": {}}, {"kind": "handover", "fields": {"to": "公安局", "rumour": "x"}}, {"kind": "love_letter"},
    {"kind": "handover", "fields": {"to": "公安局", "reply_by": "2026-02-30"}}, {"kind": "receipt", "fields": {"received_on": "2026-12-01"}},
    {"kind": "supervision", "fields": {"level": "省级", "finish_by": "2026-12-30"}}, {"kind": "immediate", "answers": "CG-2026-000001"},
])  # fmt: skip
def test_what_does_not_fit_its_kind_is_invalid_with_a_pointer(world: World, story: dict[str, Any], args: dict[str, Any]) -> None:
    answer = world.desk("city").post("/v1/ops", json={"verb": "document.issue", "ent": {"t": "problem", "id": story["own"].number}, "args": args})
    assert told(answer) == (422, "invalid") and answer.json["detail"], answer.text


def test_an_answer_names_a_document_of_the_right_kind_about_the_same_problem(world: World, story: dict[str, Any]) -> None:
    slip = issued(world, "zhangdian", "handover", story["own"].number)["document"]
    assert issue(world, "education", "receipt", story["major"].number, answers=slip).status_code == 409
    assert issue(world, "zhangdian", "extension_decision", story["own"].number, answers=slip).status_code == 409
    receipt = issued(world, "education", "receipt", story["own"].number, answers=slip)["document"]
    facts = world.desk("city").get(f"/v1/documents/{receipt}").json["facts"]
    assert facts["answers"]["number"] == slip and facts["office"] == "淄博市教育局"


@pytest.mark.answers("documents.listed", 200)
@pytest.mark.answers("documents.document", 404)
@pytest.mark.answers("documents.pdf", 404)
def test_who_may_see_the_problem_may_see_its_document_and_nobody_else(world: World, story: dict[str, Any]) -> None:
    own, other = (issued(world, "city", "immediate", story[name].number)["document"] for name in ("own", "b"))
    whole = issued(world, "city", "area_table", CITY)["document"]
    seen = {"city": {own, other, whole}, "zhangdian": {own}, "zichuan": {other}, "kindergarten": {own}, "nanding": {own}, "education": {own}}
    for login, numbers in seen.items():
        listed = {d["number"] for d in world.desk(login).get("/v1/documents", query_string={"limit": 500}).json["documents"]}
        assert listed & {own, other, whole} == numbers, login
        for number in (own, other, whole):
            for path in (f"/v1/documents/{number}", f"/v1/documents/{number}.pdf"):
                assert world.desk(login).get(path).status_code == (200 if number in numbers else 404), (login, path)


@pytest.mark.answers("documents.listed", 200)
def test_pages_of_the_list_hold_each_document_once_the_newest_first(world: World, story: dict[str, Any]) -> None:
    for number in [story["b"].number] * 5 + [story["own"].number] * 5:
        issued(world, "city", "immediate", number)
    desk, found, after = world.desk("city"), list[dict[str, Any]](), None
    while True:
        page = desk.get("/v1/documents", query_string={"limit": 7, **({"after": after} if after else {})}).json
        found += page["documents"]
        after = page["next"]
        if after is None:
            break
    assert Counter(d["number"] for d in found) == Counter(row.number for row in world.look(Document.__table__.select()))
    assert [d["issued_at"] for d in found] == sorted((d["issued_at"] for d in found), reverse=True)
    mine = desk.get("/v1/documents", query_string={"problem": story["b"].number, "kind": "immediate"}).json["documents"]
    assert mine and {(d["kind"], d["ent_id"]) for d in mine} == {("immediate", story["b"].id)}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("kind=x", 422), ("limit=0", 422), ("limit=000001" + "0" * 5000, 422), ("after=x", 400), ("after=9999999999999999:x", 400),
        ("nod=1", 400),
    ],
)  # fmt: skip
@pytest.mark.answers("documents.listed", 422)
def test_a_query_that_cannot_be_meant_is_refused(world: World, query: str, status: int) -> None:
    if query == "kind=x":
        assert world.desk("city").get("/v1/documents", query_string="limit=501").status_code == 422
    assert world.desk("city").get("/v1/documents", query_string=query).status_code == status
    assert world.desk("city").get("/v1/documents", query_string="limit=x").status_code == 422


@pytest.mark.answers("documents.verify", 200)
def test_the_page_of_the_code_says_what_is_on_record_and_names_nobody(world: World, story: dict[str, Any]) -> None:
    made = issued(world, "zhangdian", "rectification", story["own"].number)
    (row,) = world.look(Document.__table__.select().where(Document.number == made["document"]))
    opened = urlsplit(rendering.qr_target(orjson.loads(row.facts)["verify_at"], row.digest))
    answer = world.anonymous().get(f"{opened.path}?{opened.query}")
    page = answer.text
    assert answer.status_code == 200 and "责令限期改正通知书" in page and made["document"] in page and row.office in page
    assert page.index("文书核验") < page.index("Verification of a document")
    people = {link[2] for link in orjson.loads(row.facts)["chain"] if link[2]}
    assert people and not any(name in page for name in (*people, "督导员", "南定镇", story["own"].number))


@pytest.mark.answers("documents.verify", 404)
def test_a_changed_number_or_digest_does_not_verify(world: World, story: dict[str, Any]) -> None:
    one, two = (issued(world, "zhangdian", "immediate", story["own"].number) for _ in range(2))
    nobody = world.anonymous()

    def verified(number: str, d: str) -> bool:
        return nobody.get(f"/verify/{number}", query_string={"d": d}).status_code == 200

    assert verified(one["document"], one["digest"][:16]) and verified(one["document"], one["digest"].upper())
    assert not verified(one["document"], two["digest"][:16]) and not verified(two["document"], one["digest"][:16])
    for n in range(16):
        changed = one["digest"][:n] + ("0" if one["digest"][n] != "0" else "1") + one["digest"][n + 1 : 16]
        assert not verified(one["document"], changed)
    for short in ("", one["digest"][:15], "é" * 16, one["digest"] + "0"):
        assert not verified(one["document"], short)
    assert not verified("XG-1999-000001", one["digest"][:16])
    world.change(Document.__table__.update().where(Document.number == one["document"]).values(facts=Document.facts + " "))
    assert not verified(one["document"], one["digest"][:16]), "facts that raw SQL altered no longer verify"


def test_a_paper_of_what_was_published_says_the_published_figures_as_its_issuer_sees_them(world: World, story: dict[str, Any]) -> None:
    def facts(login: str, kind: str, about: str) -> Any:
        made = issued(world, login, kind, story[about])
        told_of = world.desk(login).get(f"/v1/documents/{made['document']}").json
        assert told_of["document"]["ent_id"] == story[about] and story["own"].number not in str(told_of["facts"])
        others = [login for login in ("zhangdian", "zichuan") if login != told_of["document"]["by"].removeprefix("u-")]
        assert [world.desk(other).get(f"/v1/documents/{made['document']}").status_code for other in others] == [404] * len(others)
        return told_of["facts"]

    for login in ("city", "zhangdian"):
        told_of = world.desk(login).get(f"/v1/periods/{story['ledger']}").json
        lines = [*told_of["figures"]["rows"], told_of["figures"]["total"]]
        said = facts(login, "period", "ledger")
        assert [row[1:] for row in said["rows"]] == [[str(line[name]) for name in MEASURES] for line in lines]
        assert (said["publication"], said["source_digest"]) == (story["ledger"], told_of["period"]["digest"])
        then = world.desk(login).get(f"/v1/periods/{story['ledger']}/restatement", query_string={"edition": "1"}).json
        changed = facts(login, "restatement", "restated")
        for row, line in zip(changed["rows"], [*then["rows"], then["total"]], strict=True):
            expected = [[str(line["then"][m]), str(line["now"][m]), f"{line['difference'][m]:+d}".replace("+0", "0")] for m in MEASURES]
            assert [figure[1:4] for figure in row[1]] == expected
        scores = world.desk(login).get(f"/v1/evaluations/{story['evaluation']}").json["rows"]
        printed = facts(login, "evaluation", "evaluation")
        assert [row[-1].rstrip("*") for row in printed["rows"]] == ["—" if r["score"] is None else str(r["score"]) for r in scores]
    assert issue(world, "city", "period", story["restated"]).status_code == issue(world, "city", "restatement", story["ledger"]).status_code == 404
    assert issue(world, "city", "evaluation", "KP-1999-0001").status_code == 404


def test_every_kind_has_a_number_of_its_own_and_a_template() -> None:
    assert len({kind.code for kind in KINDS.values()}) == len(KINDS)
    assert DOCUMENT["components"]["schemas"]["DocumentKind"]["enum"] == list(KINDS)
    assert all((rendering.TEMPLATES / f"{kind.template or name}.typ").exists() for name, kind in KINDS.items())
