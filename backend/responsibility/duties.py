"""Duty rules with versions: those of the packs and those published since; history run again under a proposed one. Reads only.

A published rule is kept in memory per version of the roster (accounts), which every publication moves: raising a problem
asks the database nothing more.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.accounts import roster
from backend.problems.models import Problem
from backend.problems.queries import counted
from backend.programmes import queries as programmes
from backend.responsibility import rules
from backend.responsibility.models import DutyVersion
from backend.territory import queries as territory
from backend.workdays import local_date

PAGE = 2000


@dataclass(frozen=True, slots=True)
class DutyRule:
    """A published rule, as the resolver reads it; `programme` None: of every programme."""

    id: str
    version: int
    programme: str | None
    match: Mapping[str, Any]
    lead: str
    supporting: tuple[str, ...]
    valid_from: date
    valid_to: date | None


_lock = threading.Lock()
_kept: list[tuple[Any, tuple[DutyRule, ...]]] = []


def published(session: Session) -> tuple[DutyRule, ...]:
    """Every published version, by id and version."""
    key = roster.key(session)
    with _lock:
        if _kept and _kept[0][0] == key:
            return _kept[0][1]
    rows = session.scalars(visible(DutyVersion, SYSTEM).order_by(DutyVersion.id, DutyVersion.version)).all()
    found = tuple(rule_of(row) for row in rows)
    with _lock:
        _kept[:] = [(key, found)]
    return found


def rule_of(row: Any) -> DutyRule:
    """A row, or anything with its members, as a rule."""
    return DutyRule(
        row.id,
        row.version,
        row.programme,
        dict(row.match),
        row.lead,
        tuple(row.supporting),
        row.valid_from,
        row.valid_to,
    )


def candidates(pack_rules: Sequence[Any], ours: Sequence[DutyRule], programme: str, on: date) -> list[Any]:
    """The rules that may hold on a day: of each id the newest version that had begun by then. Pure."""
    newest: dict[str, Any] = {}
    for rule in (*pack_rules, *(each for each in ours if each.programme in (None, programme))):
        if rule.valid_from <= on and (rule.id not in newest or newest[rule.id].version < rule.version):
            newest[rule.id] = rule
    return list(newest.values())


def resolve(session: Session, item: Any, programme: str, version: int, facts: Mapping[str, Any], on: date,
            ours: Sequence[DutyRule] | None = None) -> rules.Duty:  # fmt: skip
    """Who leads and supports, under the published rules (or `ours` instead). An item of no installed pack is a fault."""
    pack = programmes.pack(session, programme, version)
    assert pack is not None, "its item was found"
    there = candidates(pack.duty_rules, published(session) if ours is None else ours, programme, on)
    return rules.resolve(item, programme, version, there, facts, on)


def facts_of(session: Session, item: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule may ask of a problem: item and category, what kind of place it is, and where it lies."""
    kind = territory.site_kind(session, row["site_id"]) if row["site_id"] else None
    return {"item": item.code, "category": item.category, "site_kind": kind, "district": row["district_id"],
            "township": row["township_id"], "site": row["site_id"]}  # fmt: skip


_ROW = (Problem.id, Problem.number, Problem.item, Problem.programme, Problem.template_version, Problem.category, Problem.site_id,
        Problem.district_id, Problem.township_id, Problem.department_id, Problem.received_at, Problem.is_open)  # fmt: skip


def preview(session: Session, actor: Actor, proposed: Sequence[DutyRule]) -> Iterator[dict[str, Any]]:
    """History under proposed rules, as if they had always held: a line for each problem of the actor's that would have gone
    elsewhere, then one with the counts by department. `then`: by the rules of the day it came in; `present`: who has it now.

    Nothing is written.
    """
    ours = published(session)
    tried = [as_ever(session, actor, rule) for rule in proposed]
    wanted = (*(rule for rule in ours if rule.id not in {each.id for each in tried}), *tried)
    then_counts, now_counts, moved = Counter[str](), Counter[str](), 0
    for row in _history(session, actor):
        item, on = programmes.item(session, row.programme, row.template_version, row.item), local_date(row.received_at)
        facts = facts_of(session, item, dict(row._mapping))
        then = resolve(session, item, row.programme, row.template_version, facts, on, ours)
        now = resolve(session, item, row.programme, row.template_version, facts, on, wanted)
        then_counts[then.lead] += 1
        now_counts[now.lead] += 1
        if (then.lead, then.supporting) != (now.lead, now.supporting):
            moved += 1
            yield _line(row, then, now)
    counts = {"then": dict(sorted(then_counts.items())), "now": dict(sorted(now_counts.items()))}
    yield {"summary": {"problems": sum(then_counts.values()), "moved": moved, **counts}}


def _history(session: Session, actor: Actor) -> Iterator[Any]:
    """The problems that the actor sees, a page at a time, by id."""
    last = ""
    while True:
        page = visible(Problem, actor).with_only_columns(*_ROW).where(counted(), Problem.id > last)
        found = session.execute(page.order_by(Problem.id).limit(PAGE)).all()
        yield from found
        if len(found) < PAGE:
            return
        last = found[-1].id


def _line(row: Any, then: rules.Duty, now: rules.Duty) -> dict[str, Any]:
    return {
        "problem_id": row.id, "number": row.number, "item": row.item, "category": row.category, "district_id": row.district_id,
        "is_open": row.is_open, "then": then.lead, "now": now.lead, "then_supporting": list(then.supporting),
        "now_supporting": list(now.supporting), "rule": now.rule_id, "present": row.department_id,
    }  # fmt: skip


def next_version(session: Session, actor: Actor, rule_id: str) -> int:
    """The version that a rule of this id gets when it is published now."""
    ours = [rule.version for rule in published(session) if rule.id == rule_id]
    packs = programmes.newest(session, actor).values()
    return (
        max([*ours, *(rule.version for pack in packs for rule in pack.duty_rules if rule.id == rule_id)], default=0) + 1
    )


def as_ever(session: Session, actor: Actor, rule: DutyRule) -> DutyRule:
    """A proposed rule with the version that it would get, as if it had always held."""
    return replace(rule, valid_from=date.min, valid_to=None, version=next_version(session, actor, rule.id))
