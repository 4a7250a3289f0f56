"""Opening a sweep with its teams and tasks; tasks done or excused. No findings."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.effects import Changed, Effect, OpLike
from backend.errors import Invalid, Refused
from backend.programmes import queries as programmes
from backend.sweeps import queries, rules
from backend.sweeps.models import Sweep, Task, Team
from backend.territory import queries as territory


def open_sweep(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`sweep.open`: teams, and one task for every site of the programmes' kinds in their districts."""
    if queries.get(session, actor, op.ent_id):
        raise Refused("conflict", f"sweep {op.ent_id} is open already")
    packs, teams = programmes.newest(session, actor), op.args["teams"]
    _check_plan(session, actor, op.args, packs.keys())
    session.execute(
        insert(Sweep).values(
            id=op.ent_id,
            title=op.args["title"],
            programmes=op.args["programmes"],
            opened_at=now,
            state="open",
            ver=1,
        )
    )
    session.execute(insert(Team), [{**team, "sweep_id": op.ent_id, "ver": 1} for team in teams])
    rows = [
        row
        for programme in op.args["programmes"]
        for row in _tasks(session, actor, op, programme, packs[programme].site_kinds)
    ]
    if rows:
        session.execute(insert(Task), rows)
    changes = [Changed("sweep", op.ent_id, 1, ("global",))]
    changes += [Changed("team", team["id"], 1, (f"team:{team['id']}",)) for team in teams]
    changes += [Changed("task", row["id"], 1, (f"team:{row['team_id']}",)) for row in rows]
    city = territory.city_id(session)
    return Effect(
        ver=1, changes=changes, summary={"tasks": len(rows), "area_path": city}, result={"tasks": len(rows)}
    )


def _check_plan(session: Session, actor: Actor, plan: Mapping[str, Any], known: Collection[str]) -> None:
    """Raises Invalid or Refused, naming what is unknown, given twice, or taken by another sweep."""
    teams, ids = plan["teams"], [team["id"] for team in plan["teams"]]
    unknown = [p for p in plan["programmes"] if p not in known]
    unknown += [a for team in teams for a in team["areas"] if territory.area_path(session, a) is None]
    if unknown:
        raise Invalid(f"unknown programme or area: {', '.join(unknown)}")
    for group in (plan["programmes"], ids, *(team["areas"] for team in teams)):
        if twice := [name for name, times in Counter(group).items() if times > 1]:
            raise Invalid(f"given twice: {', '.join(twice)}")
    if taken := queries.teams_by_ids(session, actor, ids):
        raise Refused("conflict", f"another sweep has a team {', '.join(sorted(taken))}")


def excuse(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`task.excuse`: a task that will not be done, and why."""
    task = queries.task(session, actor, op.ent_id)
    if task is None:
        raise Refused("target_missing", "no such task within your territory")
    if task.state == "done":
        raise Refused("guard_failed", "the task is done already")
    task.state, task.note, task.ver = "excused", op.args["note"], task.ver + 1
    session.flush()
    return Effect(
        ver=task.ver,
        changes=[Changed("task", task.id, task.ver, (f"team:{task.team_id}",))],
        summary={"area_path": task.area_path},
    )


_TASKS: Any = Task.__table__
_DONE = (  # built once and run past the ORM: this is the hot path
    update(_TASKS)
    .where(_TASKS.c.id == bindparam("b_task"), _TASKS.c.site_id == bindparam("b_site"))
    .values(state="done", inspection_id=bindparam("b_inspection"), ver=_TASKS.c.ver + 1)
    .returning(_TASKS.c.ver, _TASKS.c.team_id)
)


def complete_task(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `inspection.submitted`: its task is done. Twice stays done; an unknown one is flagged."""
    if not data["task_id"]:
        return Effect()
    names = {"b_task": data["task_id"], "b_site": data["site_id"], "b_inspection": data["inspection_id"]}
    row = session.connection().execute(_DONE, names).one_or_none()
    if row is None:
        return Effect(summary={"task_unknown": data["task_id"]})
    return Effect(changes=[Changed("task", data["task_id"], row.ver, (f"team:{row.team_id}",))])


def _tasks(
    session: Session, actor: Actor, op: OpLike, programme: str, kinds: tuple[str, ...]
) -> list[dict[str, Any]]:
    sites = territory.sites_of_kinds(session, SYSTEM, kinds)
    given = rules.share(sites, op.args["teams"])
    return [
        {"id": f"{op.ent_id}:{site.id}:{programme}", "sweep_id": op.ent_id, "site_id": site.id,
         "programme": programme, "team_id": given[site.id], "area_path": site.area_path,
         "state": "open", "ver": 1}
        for site in sites if site.id in given
    ]  # fmt: skip
