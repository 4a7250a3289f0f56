"""Recording a step of the sector loop: the next one, referring to the one before, with the ledger's figures of its moment."""

from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.database import clock
from backend.effects import Effect, OpLike
from backend.errors import Invalid, Refused
from backend.handovers.queries import office
from backend.rings import loops
from backend.rings.models import SectorAct
from backend.territory import queries as territory
from backend.workdays import local_date


def act(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`sector.act`: result: the figures. Raises Invalid (no period, no sector); Refused conflict (a step that is there),
    guard_failed (another step is due, or another one is the one before)."""
    args = op.args
    try:
        loops.last_day(args["period"])
    except ValueError as fault:
        raise Invalid(errors=[{"pointer": "/period", "code": "invalid", "detail": str(fault)}]) from fault
    if args["sector"] not in loops.sectors(session, actor):
        raise Invalid(errors=[{"pointer": "/sector", "code": "unknown", "detail": "no such programme"}])
    path, own = office(actor, territory.city_id(session))
    department = own or ""
    done = [
        a
        for a in loops.acts(session, actor, args["period"], args["sector"])
        if (a.area_path, a.department_id) == (path, department)
    ]
    due = loops.due_step([a.step for a in done])
    if args["step"] in (a.step for a in done):
        raise Refused("conflict", f"{loops.STEPS[args['step']]} of {args['period']} is on record")
    if args["step"] != due:
        raise Refused("guard_failed", f"{loops.STEPS[str(due)]} ({due}) is due before {loops.STEPS[args['step']]}")
    before = done[-1].id if done else None
    if args["follows"] != before:
        raise Refused("guard_failed", f"a step refers to the one before it: {before or 'none'}")
    stock = next((a.figures for a in done if a.step == "stock"), None)
    figures = loops.figures(session, actor, args["sector"], path, args["step"], stock, local_date(now))
    said = {name: args[name] for name in ("sector", "period", "step", "content", "follows")}
    session.execute(insert(SectorAct).values(
        id=op.ent_id, area_path=path, department_id=department, n=len(done) + 1, figures=figures, clock=clock(session), at=now,
        by=actor.id, **said,
    ))  # fmt: skip
    summary = {"sector": args["sector"], "period": args["period"], "step": args["step"], "area_path": path}
    return Effect(
        ver=1,
        summary=summary,
        result={"figures": figures, "due": loops.due_step([*(a.step for a in done), args["step"]])},
    )
