"""Every problem of a node as one flat row of words, streamed: what exports and printed lists are made of. No sums."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, under, visible
from backend.ledgers import rules
from backend.ledgers.queries import paged, path_of
from backend.ledgers.words import Words
from backend.problems.life import STATES
from backend.problems.models import Problem
from backend.problems.queries import counted
from backend.workdays import local_date

# Word columns of an export, 25 of them. Nobody is named: who holds a post is in the list of responsibilities.
COLUMNS = (
    ("number", "编号"), ("district", "区县"), ("township", "镇办"), ("site", "学校/单位"), ("spot", "部位"), ("programme", "排查专项"),
    ("item", "检查项编码"), ("item_text", "检查项"), ("category", "类别"), ("grade", "等级"), ("state", "状态"), ("description", "问题描述"),
    ("found_on", "发现日期"), ("received_on", "接收日期"), ("lead", "牵头部门"), ("due_on", "整改期限"), ("closed_on", "销号日期"),
    ("target", "落实治理目标任务"), ("funds", "落实治理经费物资"), ("people", "落实治理机构人员"), ("time_limit", "落实治理时间要求"),
    ("plan", "落实安全措施应急预案"), ("report_count", "上报次数"), ("lon", "经度WGS84"), ("lat", "纬度WGS84"),
)  # fmt: skip
_READ = (
    Problem.id, Problem.number, Problem.item, Problem.programme, Problem.template_version, Problem.category, Problem.grade,
    Problem.state, Problem.site_id, Problem.district_id, Problem.township_id, Problem.department_id, Problem.description, Problem.spot,
    Problem.found_at, Problem.received_at, Problem.due_on, Problem.closed_at, Problem.target, Problem.funds, Problem.people, Problem.time_limit,
    Problem.plan, Problem.report_count, Problem.lon, Problem.lat,
)  # fmt: skip


def row_of(p: Any, words: Words) -> dict[str, Any]:
    """A problem (row or object with the columns of `_READ`) in words."""
    item = words.item(p.programme, p.template_version, p.item)
    return {
        "id": p.id, "number": p.number, "district": words.areas.get(p.district_id, ""), "township": words.areas.get(p.township_id, ""),
        "site": words.sites.get(p.site_id, ""), "spot": p.spot or "", "programme": words.programme(p.programme, p.template_version),
        "item": p.item, "item_text": item.text_zh, "category": words.categories.get(p.category, p.category),
        "grade": rules.GRADES_ZH.get(p.grade, p.grade), "state": STATES.get(p.state, p.state), "description": p.description,
        "found_on": local_date(p.found_at).isoformat(), "received_on": local_date(p.received_at).isoformat(),
        "lead": words.departments.get(p.department_id, ""), "due_on": p.due_on.isoformat() if p.due_on else "",
        "closed_on": local_date(p.closed_at).isoformat() if p.closed_at else "",
        "target": p.target or "", "funds": p.funds or "", "people": p.people or "", "time_limit": p.time_limit or "", "plan": p.plan or "",
        "report_count": p.report_count, "lon": p.lon, "lat": p.lat,
        "basis": words.basis(p.programme, p.template_version, p.item),
    }  # fmt: skip


def rows(session: Session, actor: Actor, node_id: str) -> Iterator[dict[str, Any]]:
    """Rows of the problems at a node that `actor` sees, in order of their ids.

    Raises NotFound for a node that is unknown or not within the actor's areas.
    """
    return _rows(session, actor, path_of(session, actor, node_id), Words(session, actor))


def _rows(session: Session, actor: Actor, path: str, words: Words) -> Iterator[dict[str, Any]]:
    statement = visible(Problem, actor).where(counted())
    if "/" in path:
        statement = statement.where(under(Problem.area_path, path))
    for ids in paged(session, statement.order_by(Problem.id)):
        page = visible(Problem, SYSTEM).with_only_columns(*_READ).where(Problem.id.in_(ids)).order_by(Problem.id)
        for row in session.execute(page):
            yield row_of(row, words)
