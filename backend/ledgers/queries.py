"""Reads of the ledgers: roll-ups and the three lists. Each begins with who asks; nothing is changed. Proofs: proof.py."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, is_within, under, visible
from backend.errors import NotFound
from backend.ledgers import rules, sums
from backend.ledgers.words import Words
from backend.problems.life import STATES
from backend.problems.models import Problem
from backend.problems.queries import counted
from backend.programmes import queries as programmes
from backend.responsibility import queries as responsibility
from backend.territory import queries as territory

_CHILD: Mapping[str, str] = {"city": "district_id", "district": "township_id", "township": "site_id", "site": "site_id"}
AXES: Mapping[str, str] = {
    "department": "department_id", "category": "category", "grade": "grade", "township": "township_id",
    "school": "site_id", "programme": "programme", "state": "state",
}  # fmt: skip
_LEVELS = ("city", "district", "township", "site")
PAGE = 1000


def home(session: Session, actor: Actor) -> str:
    """The node where an actor's ledger begins: the city, or the first of their areas. Raises NotFound where they have none."""
    city = territory.city_id(session)
    if is_within(actor, city):
        return city
    if not actor.areas:
        raise NotFound("no area is yours")
    return actor.areas[0].rsplit("/", 1)[-1]


def path_of(session: Session, actor: Actor, node_id: str) -> str:
    """Area path of a node. One outside the actor's areas is not found: its zeros would be taken for facts."""
    path = territory.area_path(session, node_id)
    if path is None or not is_within(actor, path):
        raise NotFound(f"no area or site {node_id} of yours")
    return path


def rollup(
    session: Session, actor: Actor, node_id: str, today: date, by: str = "area", clock: int | None = None
) -> dict[str, Any]:
    """Counts at a node (code of city, district, township, or site id), split `by` its children or another axis.

    `today`: the day by which what is due counts as late. `clock`: as of this commit clock (None: now).
    Placed problems only, so that the parts sum to the node; what has no place yet stands beside it, with its reasons.
    Raises NotFound for a node that is unknown or not within the actor's areas.
    """
    path = path_of(session, actor, node_id)
    level = _LEVELS[path.count("/")]
    column, kind = column_of(path, by)
    found: dict[str | None, dict[str, Any]] = {}
    for key, grade, *numbers in sums.groups(session, actor, path, column, today, clock):
        rules.add(found.setdefault(key, rules.empty()), grade, *numbers)
    found = {key: row for key, row in found.items() if row["found"]}
    names = names_of(session, actor, kind, found)
    keys = territory.child_ids(session, actor, node_id) if by == "area" and level in ("city", "district") else []
    rows = [{"id": key or "-", "name": names.get(key or "", "（其余）"), **rules.finish(found.get(key, rules.empty()))}
            for key in [*keys, *sorted((k for k in found if k not in keys), key=lambda k: k or "~")]]  # fmt: skip
    unplaced = _unplaced(session, actor, path, today, clock) if level == "city" else {"count": 0, "reasons": {}}
    return {"node": node_id, "level": level, "by": by, "as_of": today.isoformat(), "clock": clock,
            "total": rules.total(rows), "rows": rows, "unplaced": unplaced}  # fmt: skip


def column_of(path: str, by: str) -> tuple[str, str]:
    """(column, kind of its names) by which a node with this area path is split: its children, or an axis."""
    level = _LEVELS[path.count("/")]
    return (_CHILD[level], level) if by == "area" else (AXES[by], by)


def names_of(session: Session, actor: Actor, kind: str, found: Mapping[Any, Any]) -> dict[str, str]:
    """{key: Chinese name} of the keys of an axis, or of a level's children (`column_of`)."""
    if kind in ("city", "district"):
        return territory.area_names(session, actor)
    if kind in ("township", "site", "school"):
        ids = [k for k in found if k]
        sites = {i: s.name for i, s in territory.sites_by_ids(session, actor, ids).items()}
        return sites | territory.area_names(session, actor)
    if kind == "department":
        return {d.id: d.name_zh for d in territory.departments(session, actor)}
    packs = programmes.newest(session, actor).values()
    names = {c["id"]: c["name"]["zh"] for pack in packs for c in pack.body["categories"]}
    return names | {p.programme: p.name_zh for p in packs} | rules.GRADES_ZH | dict(STATES)


def _unplaced(session: Session, actor: Actor, path: str, today: date, clock: int | None) -> dict[str, Any]:
    reasons: Counter[str] = Counter()
    for reason, _, found, *_ in sums.groups(session, actor, path, "unplaced_reason", today, clock, is_placed=False):
        reasons[reason or "unknown"] += found
    kept = {reason: number for reason, number in sorted(reasons.items()) if number}
    return {"count": sum(kept.values()), "reasons": kept}


def lists(session: Session, actor: Actor, kind: str, node_id: str) -> Iterator[dict[str, Any]]:
    """Rows of a list (`problem`, `responsibility`, `rectification`) at a node, in order of place and item, streamed.

    Raises NotFound for a node that is unknown or not within the actor's areas.
    """
    path = path_of(session, actor, node_id)
    statement = visible(Problem, actor).where(counted())
    if "/" in path:
        statement = statement.where(under(Problem.area_path, path))
    words = Words(session, actor)
    for ids in paged(session, statement.order_by(Problem.area_path, Problem.item, Problem.id)):
        found = {p.id: p for p in session.scalars(visible(Problem, SYSTEM).where(Problem.id.in_(ids)))}
        chains = responsibility.chains_of(session, actor, ids) if kind == "responsibility" else {}
        yield from (_ROWS[kind](found[name], words, chains.get(name, [])) for name in ids)
        session.expunge_all()


def paged(session: Session, statement: Select[Problem]) -> Iterator[list[str]]:
    """Ids of the problems of an ordered statement, PAGE at a time, from one cursor: sorted once, however many pages there are.

    A keyset page would be sorted anew each time: within an area the database finds the rows by their place and has to put all of them in
    order to give the first of them.
    """
    ids = session.execute(statement.with_only_columns(Problem.id), execution_options={"yield_per": PAGE})
    for part in ids.partitions():
        yield [row.id for row in part]


def _common(p: Problem, words: Words) -> dict[str, Any]:
    return {"number": p.number, "district": words.areas.get(p.district_id or "", ""), "township": words.areas.get(p.township_id or "", ""),
            "site": words.sites.get(p.site_id or "", ""), "item": p.item, "state": p.state}  # fmt: skip


def _problem(p: Problem, words: Words, chain: Any) -> dict[str, Any]:
    same = ("description", "category", "grade", "report_count", "missing_photos")
    return {
        **_common(p, words),
        **{k: getattr(p, k) for k in same},
        "found_on": p.found_at.date().isoformat(),
        "found_known": rules.TIME_QUALITY_ZH.get(p.found_quality or "", ""),
        "unplaced_reason": p.unplaced_reason or "",
    }


def _responsibility(p: Problem, words: Words, chain: Any) -> dict[str, Any]:
    held = {link.layer: link.holder or "" for link in chain if link.layer != "department"}
    lead = next((link for link in chain if link.is_lead), None)
    supporting = sorted(
        words.departments.get(k.department_id, "") for k in chain if k.layer == "department" and not k.is_lead
    )
    gaps = "、".join(sorted({k.layer for k in chain if k.is_gap}))
    return {**_common(p, words), "lead": words.departments.get(lead.department_id, "") if lead else "", "supporting": "、".join(supporting),
            "city": held.get("city", ""), "department_holder": (lead.holder or "") if lead else "", "district_holder": held.get("district", ""),
            "township_holder": held.get("township", ""), "unit_holder": held.get("unit", ""), "gaps": gaps}  # fmt: skip


def _rectification(p: Problem, words: Words, chain: Any) -> dict[str, Any]:
    five = {k: getattr(p, k) or "" for k in ("target", "funds", "people", "time_limit", "plan")}
    return {
        **_common(p, words),
        **five,
        "due_on": p.due_on.isoformat() if p.due_on else "",
        "closed_on": p.closed_at.date().isoformat() if p.closed_at else "",
    }


_ROWS = {"problem": _problem, "responsibility": _responsibility, "rectification": _rectification}
