"""Every kind of document, issued over HTTP about what befell the problems of a field day, and looked at as it is printed: its words
are there and on the page, its code opens the page that verifies it, and nothing that was changed verifies.

HUYUAN_PAPERS=folder keeps the pictures for people to look at."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from backend.documents.kinds import KINDS
from tests.documents.pictures import Paper, flat
from tests.journeys.paper_day import CITY, DISTRICT, TOWNSHIP, Day, fixed, play
from tests.journeys.stage import stage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    with stage(tmp_path_factory.mktemp("papers")) as running:
        made = play(running)
        yield made
        made.phone.close()


@pytest.fixture(scope="module")
def papers(day: Day) -> dict[str, str]:
    """Kind → number of one document of it."""
    return {**ordered(day), **transferred(day), **extended(day), **listed(day), **handed_over(day), **of_places(day), **of_publications(day)}


def about(day: Day, item: str) -> tuple[str, str]:
    return "problem", day.numbers[item]


def ordered(day: Day) -> dict[str, str]:
    """责令改正, and a fix that was not what was asked for."""
    one, two = about(day, "A101"), about(day, "A103")
    made = {"rectification": day.issue("zhangdian", "rectification", one, demand="更换全部破损护栏，恢复连续封闭（示例）", contact="0533-0000000")}
    made["immediate"] = day.issue("nanding", "immediate", two, demand="立即清理占用通道的杂物（示例）")
    fixed(day, "A103")
    day.act("zhangdian", "A103", "problem.act", action="refuse_fix", note="现场仍有堆放，继续整改（示例）")
    made["reinspection"] = day.issue("zhangdian", "reinspection", two)
    return made


def transferred(day: Day) -> dict[str, str]:
    """抄告: told to another department, which receives and answers it."""
    one = about(day, "A107")
    name = day.act("zhangdian", "A107", "transfer.send", kind="inform", department_id="market", note="校门口流动摊贩占道，请依职责处理（示例）")
    made = {"handover": day.issue("zhangdian", "handover", one)}
    day.op("market", "transfer.receive", ("transfer", name), {"opinion": "已收到，纳入今日巡查（示例）"})
    made["receipt"] = day.issue("market", "receipt", one, made["handover"])
    day.op("market", "transfer.answer", ("transfer", name), {"result": "已劝离并约谈经营者（示例）", "done_on": day.later(0)})
    made["feedback"] = day.issue("market", "feedback", one, made["handover"])
    return made


def extended(day: Day) -> dict[str, str]:
    one = about(day, "A109")
    day.act("kindergarten", "A109", "problem.act", action="accept", note="")
    asked = {"until": day.later(60), "reason": "护栏须定制，供货期四周（示例）", "measures": "设临时围挡并派人值守（示例）"}
    name = day.act("kindergarten", "A109", "extension.ask", **asked)
    made = {"extension_request": day.issue("kindergarten", "extension_request", one)}
    day.op("zhangdian", "extension.decide", ("extension", name), {"verdict": "granted", "until": day.later(55), "opinion": "准予延期，逐周报告进展（示例）"})
    return {**made, "extension_decision": day.issue("zhangdian", "extension_decision", one, made["extension_request"])}


def listed(day: Day) -> dict[str, str]:
    """挂牌督办, until its acceptance has passed."""
    one, posts = about(day, "A104"), ["大队长（示例）", "法制科长（示例）", "监督科长（示例）"]
    day.act("city", "A104", "major.decide", verdict="major", posts=posts, minutes="集体研究记录（示例）")
    day.act("city", "A104", "listing.order", level="city", finish_by=day.later(90), plan_by=day.later(10), demand="停用受影响通道，限期治理（示例）")
    made = {"supervision": day.issue("city", "supervision", one)}
    fixed(day, "A104")
    told = {"done_on": day.later(0), "summary": "护栏已全部更换并通过自查（示例）", "funds": "1.2", "self_check": "自评合格（示例）"}
    name = day.act("kindergarten", "A104", "acceptance.ask", **told)
    made["acceptance_request"] = day.issue("kindergarten", "acceptance_request", one)
    passed = {"verdict": "passed", "opinion": "现场核实，符合要求（示例）", "visited_on": day.later(0), "experts": "结构稳固（示例）"}
    day.op("city", "acceptance.decide", ("acceptance", name), passed, day.numbers["A104"])
    return {**made, "acceptance_opinion": day.issue("city", "acceptance_opinion", one, made["acceptance_request"])}


def handed_over(day: Day) -> dict[str, str]:
    """交办: everything open of a district in one batch; signed, answered, one reason accepted."""
    slip = ("handover", "slip-of-the-day")
    args = {"to": {"area": DISTRICT}, "due_on": day.later(14), "demand": "逐项整改，逐项回复（示例）", "chosen": {"node": DISTRICT}}
    day.op("city", "handover.issue", slip, args)
    made = {"batch": day.issue("city", "batch", slip)}
    day.op("zhangdian", "handover.sign", slip, {"note": "已收到（示例）"})
    made["batch_receipt"] = day.issue("zhangdian", "batch_receipt", slip, made["batch"])
    results = [
        {"problem": day.numbers["A101"], "result": "fixing", "note": "护栏已订货（示例）"},
        {"problem": day.numbers["A107"], "result": "not_ours", "note": "属市场监管职责（示例）"},
    ]
    day.op("zhangdian", "handover.reply", slip, {"results": results})
    day.op("city", "handover.judge", slip, {"problems": [day.numbers["A107"]], "accepted": True, "note": "同意（示例）"})
    return {**made, "batch_feedback": day.issue("zhangdian", "batch_feedback", slip, made["batch"], summary="两项已答复，其余正在核实（示例）")}


def of_places(day: Day) -> dict[str, str]:
    """Lists of a township, a district and the city, and the city's roll-up."""
    lists = {"list_problem": ("nanding", TOWNSHIP), "list_responsibility": ("zhangdian", DISTRICT), "list_rectification": ("city", CITY),
             "ledger_five": ("auditor", CITY), "area_table": ("city", CITY)}  # fmt: skip
    return {kind: day.issue(login, kind, ("node", node)) for kind, (login, node) in lists.items()}


def of_publications(day: Day) -> dict[str, str]:
    """The day's ledger, its restatement after one more finding was erased, and the districts' evaluation."""
    span = f"{day.later(0)}/{day.later(0)}"
    number = day.op("city", "ledger.publish", ("ledger", "city"), {"period": span, "note": "日公布（示例）"})["number"]
    day.act("city", "A101", "problem.act", action="delete", note="误报（示例）")
    again = day.op("city", "ledger.restate", ("ledger", number), {"note": "误报撤销（示例）"})["number"]
    day.op("city", "evaluation.weigh", ("evaluation", "city"), {"weights": {"coverage": 40, "on_time": 40, "evidence": 20}})
    scored = day.op("city", "evaluation.publish", ("evaluation", "city"), {"kind": "district", "period": span})["number"]
    about = {"period": ("ledger", number), "restatement": ("ledger", again), "evaluation": ("evaluation", scored)}
    return {kind: day.issue("city", kind, ent) for kind, ent in about.items()}


def facts(day: Day, number: str) -> Any:
    return day.desk("city").read(f"/v1/documents/{number}")["facts"]


def paper(day: Day, kind: str, number: str) -> Paper:
    status, _, pdf = day.running.server.ask("GET", f"/v1/documents/{number}.pdf", None, {"Cookie": day.desk("city").cookie})
    assert status == 200
    made = Paper(pdf)
    if folder := os.environ.get("HUYUAN_PAPERS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for n, page in enumerate(made.pages, 1):
            page.save(Path(folder) / f"{kind}-{n}.png")
    return made


def test_every_kind_is_issued_from_what_befell_the_problems_of_the_day(papers: dict[str, str]) -> None:
    assert set(papers) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_record_says_is_on_the_page_whole_and_nothing_else_is_over_it(day: Day, papers: dict[str, str], kind: str) -> None:
    said, made = facts(day, papers[kind]), paper(day, kind, papers[kind])
    missing = [text for text in spoken(said) if flat(text) not in made.text]
    assert missing == [] and "U+" not in made.text and "\ufffd" not in made.text
    assert (made.near_the_edge(), made.glyphs_outside(), made.overprinted()) == ([], [], [])


@pytest.mark.parametrize("kind", KINDS)
def test_the_code_opens_the_page_that_verifies_it_and_a_changed_one_does_not(day: Day, papers: dict[str, str], kind: str) -> None:
    number = papers[kind]
    (code,) = paper(day, kind, number).codes()
    assert code == f"{facts(day, number)['verify_at']}?d={digest(day, number)[:16]}"
    opened = urlsplit(code)
    status, page = verified(day, f"{opened.path}?{opened.query}")
    assert status == 200 and "在案，内容与存档一致" in page and number in page
    at = opened.path.rindex("/") + 1
    for n, c in enumerate(opened.path[at:], at):
        if c.isdigit():
            path = f"{opened.path[:n]}{(int(c) + 1) % 10}{opened.path[n + 1 :]}"
            assert verified(day, f"{path}?{opened.query}")[0] == 404, path
    for n in range(2, len(opened.query)):
        query = opened.query[:n] + ("1" if opened.query[n] == "0" else "0") + opened.query[n + 1 :]
        status, page = verified(day, f"{opened.path}?{query}")
        assert status == 404 and "未通过核验" in page, query


def verified(day: Day, path: str) -> tuple[int, str]:
    status, _, page = day.running.server.ask("GET", path)
    return status, page.decode()


def digest(day: Day, number: str) -> str:
    return str(day.desk("city").read(f"/v1/documents/{number}")["document"]["digest"])


HEAD = ("title", "title_en", "number", "date", "office", "place", "as_of", "slip", "demand", "due_before", "due_on", "sender", "to", "signed_on",
        "rows", "columns")  # fmt: skip
OF_A_PROBLEM = ("number", "grade", "site", "district", "township", "spot", "category", "found_on", "state", "item", "item_text", "description")
MORE = {"rectification": ("five", "basis"), "supervision": ("five", "basis"), "immediate": ("basis",), "handover": ("chain",)}


def spoken(said: Any) -> list[str]:
    """Every text that a reader must find on the paper: the day in a cell of a list as it is, elsewhere as the language has it."""
    told = [said[name] for name in (*HEAD, *MORE.get(said["kind"], ())) if name in said]
    told += [said["problem"][name] for name in OF_A_PROBLEM] if "problem" in said else []
    told += [field[1:] for field in said["fields"]] if "slip" in said else [field[2] for field in said["fields"]]
    cells = set(leaves(said.get("rows", [])))
    return [text if text in cells else day_of(text) for text in leaves(told) if text]


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from leaves(each)
    elif isinstance(value, str | int):
        yield str(value)


def day_of(text: str) -> str:
    parts = text.split("-")
    is_day = len(text) == 10 and len(parts) == 3 and all(part.isdigit() for part in parts)
    return f"{parts[0]}年{int(parts[1])}月{int(parts[2])}日" if is_day else text
