"""Giving a batch of problems to an office, and what becomes of it. Writes handovers only; problems are told of nothing here."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from backend.access.scope import Actor, lies
from backend.effects import Effect, Event, OpLike
from backend.errors import Invalid, NotAllowed, Refused
from backend.handovers import queries, rules
from backend.handovers.models import Handover, HandoverItem
from backend.handovers.schemas import MAX_PROBLEMS
from backend.problems.models import Problem
from backend.sweeps import queries as sweeps
from backend.territory import queries as territory
from backend.workdays import local_date

SHOWN = 20  # numbers that a refusal names


def issue(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`handover.issue`: result: number and how many problems.

    Raises Invalid (neither or both of list and filter, unknown office, a day that has passed); Refused target_missing,
    guard_failed (a problem that has ended, lies elsewhere, is in another open handover; none that fits), conflict (id taken).
    """
    args, today, city = op.args, local_date(now), territory.city_id(session)
    path, department = queries.receiver(session, args["to"], "/to")
    if args["due_on"] < today:
        raise Invalid(errors=[{"pointer": "/due_on", "code": "invalid", "detail": "a day that has not passed"}])
    if ("problems" in args) == ("chosen" in args):
        raise Invalid("either `problems` or `chosen`")
    if queries.get(session, actor, op.ent_id) is not None:
        raise Refused("conflict", "this handover is there already")
    found = (
        _listed(session, actor, args["problems"])
        if "problems" in args
        else _chosen(session, actor, args["chosen"], today)
    )
    _check(session, found, path)
    _check_ring(session, actor, args["part_of"])
    from_path, from_department = queries.office(actor, city)
    year, part = today.year, args["part_of"] or {"t": None, "id": None}
    n = queries.last_number(session, year) + 1
    number = f"JBD-{year}-{n:06d}"
    session.execute(insert(Handover).values(
        id=op.ent_id, number=number, year=year, n=n, area_path=path, department_id=department, from_path=from_path,
        from_department=from_department, of_type=part["t"], of_id=part["id"], state="issued", is_open=True, due_on=args["due_on"],
        demand=args["demand"], issued_at=now, issued_by=actor.id, closing_note="", ver=1,
    ))  # fmt: skip
    session.execute(insert(HandoverItem), [
        {"handover_id": op.ent_id, "problem_id": each.id, "n": k, "area_path": path, "department_id": department, "open_key": each.id,
         "state": "waiting", "note": "", "judgement": ""} for k, each in enumerate(found, 1)
    ])  # fmt: skip
    summary = {"handover": number, "problems": len(found), "area_path": path, "department": department}
    told = [
        Event("handover.issued", {"handover_id": op.ent_id, "part_of": part}),
        _stepped(op, number, (path, department)),
    ]
    return Effect(ver=1, events=told, summary=summary, result={"number": number, "problems": len(found)})


def _listed(session: Session, actor: Actor, names: Sequence[str]) -> list[Problem]:
    known = queries.named(session, actor, set(names))
    if missing := [name for name in names if name not in known]:
        raise Refused("target_missing", f"no such problem within your territory: {_some(missing)}")
    return list({known[name].id: known[name] for name in names}.values())


def _chosen(session: Session, actor: Actor, asked: Mapping[str, Any], today: date) -> list[Problem]:
    path = territory.area_path(session, asked["node"])
    if path is None:
        raise Invalid(errors=[{"pointer": "/chosen/node", "code": "unknown", "detail": f"no area {asked['node']}"}])
    found = list(queries.chosen(session, actor, path, dict(asked), today, MAX_PROBLEMS + 1))
    if not found:
        raise Refused("guard_failed", "no open problem of yours fits and is in no open handover")
    if len(found) > MAX_PROBLEMS:
        raise Refused("guard_failed", f"more than {MAX_PROBLEMS} problems fit: give them in several handovers")
    return found


def _check(session: Session, found: Sequence[Problem], path: str) -> None:
    if ended := [p.number for p in found if not p.is_open]:
        raise Refused("guard_failed", f"has ended already: {_some(ended)}")
    if away := [p.number for p in found if not lies(p.area_path, path)]:
        raise Refused("guard_failed", f"does not lie within the receiver's area: {_some(away)}")
    if taken := queries.taken(session, [p.id for p in found]):
        told = [f"{p.number} ({taken[p.id]})" for p in found if p.id in taken]
        raise Refused("guard_failed", f"is in another open handover: {_some(told)}")


def _check_ring(session: Session, actor: Actor, part: Mapping[str, Any] | None) -> None:
    if part is not None and part["t"] == "sweep":
        found = sweeps.hold(session, actor, part["id"])  # it does not close meanwhile
        if found is None or found.state != "open":
            raise Refused("guard_failed", f"no open sweep {part['id']}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _held(session: Session, op: OpLike, actor: Actor, action: str) -> Handover:
    """The handover that an op is about, held, where the actor may take this step and its state allows it."""
    found = queries.get(session, actor, op.ent_id, is_held=True)
    if found is None:
        raise Refused("target_missing", "no such handover of yours")
    is_theirs = (
        queries.is_to(actor, found.area_path, found.department_id)
        if action in rules.RECEIVERS
        else queries.is_from(actor, found.from_path, found.from_department)
    )
    if not is_theirs:
        raise NotAllowed(
            f"{action} is for the {'receiver' if action in rules.RECEIVERS else 'issuer'} of {found.number}"
        )
    after = rules.STEPS[found.state].get(action)
    if after is None:
        raise Refused("guard_failed", f"{found.number} is {found.state}: {action} does not fit")
    found.state, found.ver = after, found.ver + 1
    return found


def _stepped(op: OpLike, number: str, to: tuple[str, str | None]) -> Event:
    return Event("handover.stepped", {"step": op.verb, "id": op.ent_id, "number": number, "to": [to]})


def _done(session: Session, op: OpLike, found: Handover, **more: Any) -> Effect:
    """What a step came to; the office on the other side may be told."""
    session.flush()
    is_receivers = op.verb.rpartition(".")[2] in rules.RECEIVERS
    other = (found.from_path, found.from_department) if is_receivers else (found.area_path, found.department_id)
    summary = {"handover": found.number, "state": found.state, "area_path": found.area_path, **more}
    result = {"number": found.number, "state": found.state, **more}
    return Effect(ver=found.ver, events=[_stepped(op, found.number, other)], summary=summary, result=result)


def sign(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`handover.sign`: the receiver has it (签收)."""
    found = _held(session, op, actor, "sign")
    found.signed_at, found.signed_by = now, actor.id
    return _done(session, op, found)


def reply(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`handover.reply`: a result for each problem named (回复). Refuses a problem that is not in it, a reason without a note."""
    found = _held(session, op, actor, "reply")
    known = _items(session, found)
    for n, said in enumerate(op.args["results"]):
        item = known.get(said["problem"])
        if item is None:
            raise Refused("guard_failed", f"{said['problem']} is not in {found.number}")
        if rules.RESULTS[said["result"]] and not said["note"].strip():
            raise Invalid(errors=[{"pointer": f"/results/{n}/note", "code": "required", "detail": "say why"}])
        item.state, item.result, item.note = "answered", said["result"], said["note"]
        item.replied_at, item.replied_by = now, actor.id
    found.replied_at = now
    if found.first_replied_at is None:
        found.first_replied_at, found.first_reply_op = now, op.id
    return _done(session, op, found, answered=len(op.args["results"]))


def judge(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`handover.judge`: the issuer accepts the reasons given for these problems, or does not (then with a note)."""
    found = _held(session, op, actor, "judge")
    known, is_accepted = _items(session, found), op.args["accepted"]
    if not is_accepted and not op.args["note"].strip():
        raise Invalid(errors=[{"pointer": "/note", "code": "required", "detail": "say why not"}])
    for name in op.args["problems"]:
        item = known.get(name)
        if item is None or item.result is None or not rules.RESULTS[item.result]:
            raise Refused("guard_failed", f"no reason was given for {name} in {found.number}")
        item.state, item.judgement = "accepted" if is_accepted else "refused", op.args["note"]
        item.judged_at, item.judged_by = now, actor.id
    return _done(session, op, found, judged=len(op.args["problems"]))


def _items(session: Session, handover: Handover) -> dict[str, HandoverItem]:
    """The items of a handover by id and by number of their problems."""
    rows = queries.items(session, [handover.id])
    known = queries.cards(session, (row.problem_id for row in rows))
    return {name: row for row in rows for name in (row.problem_id, known[row.problem_id].number)}


def close(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`handover.close`. Refused guard_failed, naming each problem that has neither ended nor an accepted reason."""
    found = _held(session, op, actor, "close")
    if left := rules.unsettled(queries.standings(session, [found.id])[found.id]):
        raise Refused("guard_failed", f"still open in {found.number}: {_some(left)}")
    return _end(session, op, found, actor, now)


def withdraw(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`handover.withdraw`: taken back before anything was answered, with the reason; its problems are free again."""
    return _end(session, op, _held(session, op, actor, "withdraw"), actor, now)


def _end(session: Session, op: OpLike, found: Handover, actor: Actor, now: datetime) -> Effect:
    found.is_open, found.closed_at, found.closed_by, found.closing_note = False, now, actor.id, op.args["note"]
    session.flush()
    freed = update(HandoverItem).where(HandoverItem.handover_id == found.id).values(open_key=None)
    session.execute(freed)
    return _done(session, op, found)
