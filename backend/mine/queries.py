"""What waits for the person who asks; a fixed number of statements, however much it is. Each begins with who asks."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, case, false, func, literal, or_
from sqlalchemy.orm import Session

from backend.access.roles import may
from backend.access.scope import SYSTEM, Actor, visible
from backend.accounts import queries as accounts
from backend.handovers import queries as handovers
from backend.handovers.rules import is_settled
from backend.mine import rules
from backend.problems.models import Problem
from backend.responsibility import queries as responsibility
from backend.responsibility.models import Responsibility
from backend.rings import loops, orders
from backend.territory import queries as territory

_last_day = func.coalesce(
    Problem.clock_on, Problem.due_on
)  # of the clock that runs for the next actor, else of the fix
ROWS, LISTS = 100, 50  # as many are listed; the counts are of all


def today_of(session: Session, actor: Actor, today: date) -> dict[str, Any]:
    """Problems that wait for the actor (counts by urgency, the most urgent rows), and acts of rings that are theirs."""
    waits = _waits(session, actor, today)
    acts = rules.in_order(
        [
            *_of_handovers(session, actor),
            *_of_orders(session, actor),
            *_of_loops(session, actor),
            *_of_posts(session, actor),
        ]
    )
    told = [{**act, "urgency": rules.urgency(act["due_on"], today)} for act in acts]
    return {
        "as_of": today, "problems": {"counts": _counts(session, actor, waits, today), "rows": _rows(session, actor, waits, today)},
        "acts": {"counts": rules.counted(act["urgency"] for act in told), "rows": told},
    }  # fmt: skip


def _says(words: Sequence[str]) -> ColumnElement[bool]:
    """Condition: one of these words stands in `next_actor`, which holds one or several with commas."""
    around = literal(",").concat(Problem.next_actor).concat(",")
    return or_(*(around.like(f"%,{word},%") for word in words)) if words else false()


def _waits(session: Session, actor: Actor, today: date) -> ColumnElement[bool]:
    """Condition: an open problem waits for the actor, by their role, or by a post that their account holds today."""
    by_role = _says(sorted(rules.WAITS_FOR.get(actor.role, ())))
    if actor.role == "city":
        by_role = and_(by_role, Problem.district_id.is_(None))
    by_layer: dict[str, list[str]] = {}
    for post in accounts.posts_of(session, actor.id, today):
        by_layer.setdefault(post.layer, []).append(post.id)
    named = [_by_post(layer, ids) for layer, ids in sorted(by_layer.items())]
    return and_(Problem.is_open, or_(by_role, *named))


def _by_post(layer: str, post_ids: Sequence[str]) -> ColumnElement[bool]:
    hangs = visible(Responsibility, SYSTEM).with_only_columns(Responsibility.problem_id)
    hangs = hangs.where(Responsibility.post_id.in_(post_ids))
    return and_(_says(sorted(rules.POST_WAITS_FOR[layer])), Problem.id.in_(hangs))


def _counts(session: Session, actor: Actor, waits: ColumnElement[bool], today: date) -> dict[str, int]:
    bucket = case(
        (_last_day.is_(None), "undated"), (_last_day < today, "overdue"), (_last_day == today, "today"),
        (_last_day <= rules.last_soon(today), "soon"), else_="later",
    )  # fmt: skip
    statement = visible(Problem, actor).with_only_columns(bucket, func.count()).where(waits).group_by(bucket)
    found = {name: n for name, n in session.execute(statement)}  # noqa: C416 - a Result is no mapping
    counts = {name: found.get(name, 0) for name in rules.URGENCY}
    return {**counts, "total": sum(counts.values())}


_ROW = (Problem.id, Problem.number, Problem.description, Problem.state, Problem.grade, _last_day.label("due_on"), Problem.site_id,
        Problem.next_actor, Problem.clock, Problem.escalated_level, Problem.missing_photos, Problem.clock_reason)  # fmt: skip


def _rows(session: Session, actor: Actor, waits: ColumnElement[bool], today: date) -> list[dict[str, Any]]:
    statement = visible(Problem, actor).with_only_columns(*_ROW).where(waits)
    statement = statement.order_by(_last_day.is_(None), _last_day, Problem.number).limit(ROWS)
    found = session.execute(statement).all()
    sites = territory.site_names(session, actor, {row.site_id for row in found if row.site_id})
    return [
        {**row._mapping, "site": sites.get(row.site_id or "", ""), "urgency": rules.urgency(row.due_on, today),
         "no_day": None if row.due_on else (row.clock_reason or {}).get("none", "no_day_set")}
        for row in found
    ]  # fmt: skip


def _of_handovers(session: Session, actor: Actor) -> list[Mapping[str, Any]]:
    """Slips to sign and to answer, and those to judge and to close."""
    found = handovers.of_office(session, actor, LISTS)
    standings = handovers.standings(session, [each.id for each in found])
    reasons = handovers.reasons(session, [each.id for each in found])
    acts: list[Mapping[str, Any]] = []
    for each in found:
        left = [one for one in standings[each.id] if not is_settled(one)]
        if handovers.is_to(actor, each.area_path, each.department_id) and each.state != "closed":
            if each.state == "issued":
                acts.append(_act("handover", each, "sign"))
            elif any(one.state in ("waiting", "refused") for one in left):
                acts.append(_act("handover", each, "reply"))
        if handovers.is_from(actor, each.from_path, each.from_department) and each.state in ("signed", "replied"):
            if each.id in reasons:
                acts.append(_act("handover", each, "judge"))
            elif not left:
                acts.append(_act("handover", each, "close"))
    return acts


def _act(ring: str, each: Any, what: str) -> dict[str, Any]:
    return {"ring": ring, "id": each.id, "name": each.number, "what": what, "title": each.demand, "due_on": each.due_on}


def _of_orders(session: Session, actor: Actor) -> list[Mapping[str, Any]]:
    """Orders to reply to; those of their own office to close, where every reply is in and nothing in them is open."""
    found = orders.of_office(session, actor, LISTS)
    own = [order for order, waits in found if not waits]
    ready = {row["id"] for row in orders.told(session, own, today=date.max) if _is_ready(row)}
    acts = [(order, "reply") for order, waits in found if waits] + [
        (order, "close") for order in own if order.id in ready
    ]
    return [
        {"ring": "order", "id": order.id, "name": order.number, "what": what, "title": order.title, "due_on": order.due_on}
        for order, what in acts
    ]  # fmt: skip


def _is_ready(row: Mapping[str, Any]) -> bool:
    return row["replied"] == row["addressees"] and row["sweeps_closed"] == row["sweeps"] and not row["open_handovers"]


def _of_loops(session: Session, actor: Actor) -> list[Mapping[str, Any]]:
    """The next step of each sector loop that their office has begun."""
    if not may(actor.role, "sector.act") or not actor.areas:
        return []
    path, department = handovers.office(actor, "")
    found: dict[tuple[str, str], list[str]] = {}
    for step in loops.begun(session, path, department or ""):
        found.setdefault((step.period, step.sector), []).append(step.step)
    due = [(period, sector, loops.due_step(done)) for (period, sector), done in found.items()]
    return [
        {"ring": "sector", "id": f"{sector}:{period}", "name": f"{sector} {period}", "what": "publish", "title": loops.STEPS[step],
         "due_on": loops.last_day(period)}
        for period, sector, step in due if step is not None
    ]  # fmt: skip


def _of_posts(session: Session, actor: Actor) -> list[Mapping[str, Any]]:
    """Lists of what went over to a post of theirs, to be accepted."""
    found = responsibility.post_handovers(session, actor, False, None, LISTS)
    return [
        {"ring": "post", "id": each.id, "name": each.title, "what": "accept", "title": f"{each.count} / {each.overdue}", "due_on": None}
        for each in found if each.to_person is not None and responsibility.is_taker(actor, each)
    ]  # fmt: skip
