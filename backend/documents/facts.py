"""What a document says, gathered from the record at the moment of its issue. Nothing is guessed: what is not there is empty."""

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.documents.kinds import FIVE, MAX_ROWS, Kind
from backend.errors import NotFound, Refused
from backend.handovers import queries as handovers
from backend.handovers import rules as handing
from backend.ledgers import queries as ledgers
from backend.ledgers import sheet
from backend.ledgers.rules import GRADES_ZH
from backend.ledgers.words import Words
from backend.problems import queries as problems
from backend.problems.life import STATES
from backend.problems.models import Problem
from backend.responsibility import queries as responsibility
from backend.responsibility.gaps import LAYERS_ZH
from backend.supervision import queries as supervision
from backend.territory import queries as territory
from backend.workdays import local_date

OFFICES = {"city": "市级牵头", "district": "区县牵头", "township": "镇办属地", "auditor": "督查"}
LAYERS = {layer: f"{name}责任人" for layer, name in LAYERS_ZH.items()}
UNPLACED = "未定位"
UNMET: Mapping[str, tuple[Callable[[Problem], bool], str]] = {
    "open": (lambda p: p.is_open, "is not open any more"),
    "major": (lambda p: p.grade == "major", "has not been judged a major hazard"),
    "due": (lambda p: p.due_on is not None, "has no date by which it is to be put right"),
}


class About:
    """What a document is about: entity, place, department, and the facts that are printed."""

    def __init__(self, ent: tuple[str, str], area_path: str, department_id: str | None, said: dict[str, Any]) -> None:
        self.ent, self.area_path, self.department_id, self.said = ent, area_path, department_id, said


def office(session: Session, actor: Actor) -> str:
    """The office that issues: the actor's place and line, never a person."""
    node = actor.areas[0].rsplit("/", 1)[-1] if actor.areas else territory.city_id(session)
    words = territory.area_names(session, actor)
    if actor.role == "school":
        site = territory.sites_by_ids(session, actor, [node]).get(node)
        return territory.printed(session, site.name) if site else node
    if actor.role == "department":
        lines = {d.id: d.name_zh for d in territory.departments(session, actor)}
        return words.get(node, node) + lines.get(actor.department_id or "", "")
    return f"{words.get(node, node)}（{OFFICES[actor.role]}）"


def of_problem(session: Session, actor: Actor, kind: Kind, name: str, now: datetime) -> About:
    """Facts of a problem. Raises Refused: target_missing, guard_failed."""
    found = problems.get(session, actor, name)
    if (
        found is None and kind.answers == "handover"
    ):  # whoever was told of it answers, though it is another's to put right
        found = supervision.get_given(session, actor, name)
    if found is None:
        raise Refused("target_missing", "no such problem within your territory")
    for must in kind.must:
        is_met, why = UNMET[must]
        if not is_met(found):
            raise Refused("guard_failed", f"{found.number} {why}")
    words = Words(session, actor)
    row = sheet.row_of(found, words)
    chain = responsibility.told_chain(session, actor, found.id, local_date(now))
    said = {
        "problem": {k: v for k, v in row.items() if k not in ("id", "lon", "lat", "report_count", "basis")},
        "basis": row["basis"],
        "five": [[label, row[name]] for name, label in FIVE],
        "chain": [[LAYERS[k["layer"]] + ("（牵头）" if k["is_lead"] else ""), k["title"] or "", _answers(k)] for k in chain],
        "deadline": _limit(found),
    }  # fmt: skip
    return About(("problem", found.id), found.area_path, found.department_id, said)


def _answers(link: Mapping[str, Any]) -> str:
    """Who answers for a layer, and who acts for them while they are away (代)."""
    return f"{link['holder'] or ''}{'（' + link['acting'] + ' 代）' if link['acting'] else ''}"


def _limit(problem: Problem) -> dict[str, Any]:
    """The working days of the time limit, and the basis that its class names; a supervisor's own date has neither."""
    reason = problem.deadline_reason or {}
    basis = reason.get("basis") or {}
    return {
        "working_days": reason.get("working_days"),
        "basis": f"《{basis['title']}》{basis.get('article') or ''}" if basis else "",
    }


def of_list(session: Session, actor: Actor, kind: Kind, name: str, now: datetime) -> About:
    """Rows of a list at a node. Raises Refused: target_missing, guard_failed (too long for paper)."""
    path, title = place_of(session, actor, name)
    found = sorted(islice(sheet.rows(session, actor, name), MAX_ROWS + 1), key=_place)
    if len(found) > MAX_ROWS:
        raise Refused("guard_failed", f"more than {MAX_ROWS} rows: take an export, or a smaller place")
    chains = responsibility.chains_of(session, actor, [row["id"] for row in found])
    words = Words(session, actor)
    rows = [_list_row(row, chains.get(row["id"], []), words) for row in found]
    said = {
        "place": title, "as_of": local_date(now).isoformat(), "columns": [label for _, label in kind.columns],
        "rows": [[row[name] for name, _ in kind.columns] for row in rows], "count": len(rows),
    }  # fmt: skip
    return About(("node", name), path, actor.department_id, said)


def _place(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["district"] or UNPLACED, row["township"], row["site"], row["item"], row["number"]


def _list_row(row: Mapping[str, Any], chain: Any, words: Words) -> dict[str, Any]:
    held = {link.layer: link.holder or "" for link in chain if link.layer != "department" or link.is_lead}
    named = [words.departments.get(k.department_id, "") for k in chain if k.layer == "department" and not k.is_lead]
    return {
        **row, "area": row["district"] + row["township"] or UNPLACED, "item": f"{row['item']} {row['item_text']}", "basis": "；".join(row["basis"]),
        "supporting": "、".join(sorted(named)), "gaps": "、".join(sorted({LAYERS[k.layer] for k in chain if k.is_gap})), "acceptance": "",
        **{f"{layer}_holder": held.get(layer, "") for layer in ("department", "district", "township", "unit")},
    }  # fmt: skip


def of_area(session: Session, actor: Actor, kind: Kind, name: str, now: datetime) -> About:
    """The roll-up of a node by its children, as the form has it."""
    path, title = place_of(session, actor, name)
    made = ledgers.rollup(session, actor, name, local_date(now))
    rows = [_area_row(row, row["name"]) for row in made["rows"]] + [_area_row(made["total"], "合计")]
    said = {"place": title, "as_of": made["as_of"], "rows": rows, "unplaced": made["unplaced"]["count"]}
    return About(("node", name), path, actor.department_id, said)


def _area_row(row: Mapping[str, Any], name: str) -> list[Any]:
    general, major = row["general"], row["major"]
    rate = {k: "" if g["rate"] is None else f"{g['rate']}%" for k, g in (("general", general), ("major", major))}
    return [
        name,
        general["found"],
        general["open"],
        rate["general"],
        major["found"],
        major["open"],
        major["overdue"],
        rate["major"],
    ]


def of_handover(session: Session, actor: Actor, kind: Kind, name: str, now: datetime) -> About:
    """A handover with its problems, each with what was answered. Raises Refused target_missing."""
    found = handovers.get(session, actor, name)
    if found is None:
        raise Refused("target_missing", "no such handover of yours")
    words, items = Words(session, actor), handovers.detail(session, found)
    rows = [_batch_row(item, words) for item in items]
    said = {
        "slip": found.number, "due_on": found.due_on.isoformat(), "demand": found.demand, "state": handing.STATES_ZH[found.state],
        "sender": _office_name(words, found.from_path, found.from_department), "to": _office_name(words, found.area_path, found.department_id),
        "signed_on": local_date(found.signed_at).isoformat() if found.signed_at else "", "columns": [label for _, label in kind.columns],
        "rows": [[row[name] for name, _ in kind.columns] for row in rows], "count": len(rows),
    }  # fmt: skip
    return About(("handover", found.id), found.area_path, found.department_id, said)


def _office_name(words: Words, path: str, department_id: str | None) -> str:
    node = path.rsplit("/", 1)[-1]
    return words.areas.get(node, words.sites.get(node, node)) + (
        words.departments.get(department_id, "") if department_id else ""
    )


def _batch_row(item: Mapping[str, Any], words: Words) -> dict[str, str]:
    judged = handing.ITEMS_ZH[item["state"]] if item["state"] in ("accepted", "refused") else ""
    result = handing.RESULTS_ZH[item["result"]] if item["result"] else handing.ITEMS_ZH["waiting"]
    return {
        "number": item["number"], "site": words.sites.get(item["site_id"] or "", ""), "description": item["description"],
        "grade": GRADES_ZH.get(item["grade"], item["grade"]), "due_on": item["due_on"].isoformat() if item["due_on"] else "",
        "state": STATES.get(item["problem_state"], item["problem_state"]), "result": "；".join(filter(None, (result, judged))),
        "note": item["note"],
    }  # fmt: skip


def place_of(session: Session, actor: Actor, name: str) -> tuple[str, str]:
    """(area path, name) of a node. Raises Refused target_missing."""
    try:
        path = ledgers.path_of(session, actor, name)
    except NotFound as fault:
        raise Refused("target_missing", fault.detail) from fault
    words = Words(session, actor)
    return path, words.areas.get(name) or words.sites.get(name, name)
