"""Opening a sweep with its teams and tasks; tasks done or excused. No findings."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.accounts import grants
from backend.effects import Changed, Effect, Event, OpLike
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
    for team in teams:
        _grant(session, team["id"], team["areas"], team["members"], now)
    tasks = [
        task
        for programme in op.args["programmes"]
        for task in _tasks(session, actor, op, programme, packs[programme].site_kinds)
    ]
    if tasks:
        session.execute(insert(Task), tasks)
    changes = [Changed("sweep", op.ent_id, 1, ("global",))]
    changes += [Changed("team", team["id"], 1, (f"team:{team['id']}",)) for team in teams]
    changes += [Changed("task", task["id"], 1, (f"team:{task['team_id']}",)) for task in tasks]
    city = territory.city_id(session)
    places = {path for team in teams for area in team["areas"] if (path := territory.area_path(session, area))}
    event = Event("sweep.opened", {"sweep_id": op.ent_id, "title": op.args["title"], "area_paths": sorted(places)})
    return Effect(
        ver=1,
        changes=changes,
        events=[event],
        summary={"tasks": len(tasks), "area_path": city},
        result={"tasks": len(tasks)},
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


def change_team(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`team.change`: other members, other areas. Its tasks stay where they are (`task.move`); who may work where changes."""
    team = queries.team(session, actor, op.ent_id)
    if team is None:
        raise Refused("target_missing", "no such team")
    if unknown := [a for a in op.args.get("areas", ()) if territory.area_path(session, a) is None]:
        raise Invalid(f"unknown area: {', '.join(unknown)}")
    people = {*team.members, *op.args.get("members", ())}
    for name, value in op.args.items():
        setattr(team, name, value)
    team.ver += 1
    session.flush()
    for person in sorted(people):
        _grant(session, team.id, team.areas if person in team.members else (), [person], now)
    told = Event("grants.changed", {"cause": op.id, "user_ids": sorted(people)})
    changed = Changed("team", team.id, team.ver, (f"team:{team.id}",))
    return Effect(ver=team.ver, changes=[changed], events=[told], summary={"team": team.id, "changed": sorted(op.args)})


def _grant(session: Session, team_id: str, areas: Collection[str], people: Collection[str], now: datetime) -> None:
    paths = [path for area in areas if (path := territory.area_path(session, area))]
    for person in people:
        grants.note(session, f"team:{team_id}", person, paths, now)


def move_tasks(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`task.move`: what is still to be done under an area goes to another team of the same sweep."""
    path, team = territory.area_path(session, op.args["area"]), queries.team(session, actor, op.args["team_id"])
    if path is None or team is None:
        raise Refused("target_missing", "no such area or team")
    changes = []
    for task in queries.open_tasks_under(session, actor, path, op.args["programme"]):
        if task.sweep_id == team.sweep_id and task.team_id != team.id:
            left, task.team_id, task.ver = task.team_id, team.id, task.ver + 1
            changes.append(Changed("task", task.id, task.ver, (f"team:{team.id}",), (f"team:{left}",)))
    session.flush()
    return Effect(changes=changes, summary={"moved": len(changes), "to": team.id, "area_path": path},
                  result={"moved": len(changes)})  # fmt: skip


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


def prepare(session: Session, ops: Sequence[OpLike]) -> None:
    """The tasks that these inspections are about, read and locked in one go (args are as sent, not yet checked)."""
    ids = {task for op in ops if isinstance(task := op.args.get("task_id"), str)}
    rows.keep(session, Task, dict.fromkeys(ids) | queries.hold_tasks(session, SYSTEM, sorted(ids)))


def complete_task(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `inspection.submitted`: its task is done. Twice stays done; an unknown one is flagged."""
    task_id = data["task_id"]
    if not task_id:
        return Effect()
    task = rows.kept(session, Task, task_id, partial(queries.hold_task, session, SYSTEM, task_id))
    if task is None or task["site_id"] != data["site_id"]:
        return Effect(summary={"task_unknown": task_id})
    done = {"state": "done", "inspection_id": data["inspection_id"], "ver": task["ver"] + 1}
    rows.change(session, Task, {"id": task_id}, done)
    return Effect(changes=[Changed("task", task_id, done["ver"], (f"team:{task['team_id']}",))])


def _tasks(session: Session, actor: Actor, op: OpLike, programme: str, kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    sites = territory.sites_of_kinds(session, SYSTEM, kinds)
    given = rules.share(sites, op.args["teams"])
    return [
        {"id": f"{op.ent_id}:{site.id}:{programme}", "sweep_id": op.ent_id, "site_id": site.id,
         "programme": programme, "team_id": given[site.id], "area_path": site.area_path,
         "state": "open", "ver": 1}
        for site in sites if site.id in given
    ]  # fmt: skip
