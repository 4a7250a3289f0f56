"""Reads of sweeps, teams, tasks; each begins with who asks."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import orjson
from sqlalchemy import Row, Text, bindparam, cast, func
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, under, visible
from backend.accounts import queries as accounts
from backend.accounts.models import User
from backend.plain import plain
from backend.sweeps.models import Sweep, Task, Team
from backend.territory import queries as territory


def get(session: Session, actor: Actor, sweep_id: str) -> Sweep | None:
    """One sweep."""
    return session.scalars(visible(Sweep, actor).where(Sweep.id == sweep_id)).first()


def hold(session: Session, actor: Actor, sweep_id: str) -> Sweep | None:
    """The same, read again and locked until the end of the transaction."""
    held = visible(Sweep, actor).where(Sweep.id == sweep_id).with_for_update()
    return session.scalars(held.execution_options(populate_existing=True)).first()


def sweeps(session: Session, actor: Actor) -> Sequence[Sweep]:
    """All sweeps, newest first."""
    return session.scalars(visible(Sweep, actor).order_by(Sweep.opened_at.desc())).all()


@cache
def _teams_naming() -> Any:
    """Asked at every request of a device, so made once."""
    is_named = cast(Team.members, Text).like(bindparam("named"), escape="/")
    columns = (Team.id, Team.areas, Team.members)
    return plain(visible(Team, SYSTEM).with_only_columns(*columns).where(is_named).order_by(Team.id))


def _teams_of(session: Session, user_id: str) -> list[Any]:
    """id and areas of the teams a person is a member of: those whose list of members has the name somewhere in it are
    looked at (by the system, while it is being found out who asks)."""
    name = orjson.dumps(user_id).decode().translate({ord(sign): f"/{sign}" for sign in "/%_"})
    found = session.execute(_teams_naming(), {"named": f"%{name}%"})
    return [team for team in found if user_id in team.members]


def with_teams(session: Session, user: User | Row[Any], device_id: str | None = None) -> Actor:
    """A person with their teams: the territory of an inspector is their own areas and those of their teams."""
    teams = _teams_of(session, user.id) if user.is_active else []
    paths = [territory.area_path(session, area) for team in teams for area in team.areas]
    return accounts.actor_of(user, [t.id for t in teams], device_id, [path for path in paths if path])


def field_actors(session: Session) -> list[Actor]:
    """Everybody who is active, each with the territory that is theirs; three statements, however many there are."""
    teams = session.scalars(visible(Team, SYSTEM).order_by(Team.id)).all()
    found = []
    for user in accounts.users(session, SYSTEM):
        own = [team for team in teams if user.id in team.members]
        paths = [territory.area_path(session, area) for team in own for area in team.areas]
        if user.is_active:
            found.append(accounts.actor_of(user, [t.id for t in own], None, [path for path in paths if path]))
    return found


def field_actor(session: Session, user_id: str) -> Actor | None:
    """The same by id; None for a person who has left."""
    user = accounts.user_by_id(session, user_id)
    return with_teams(session, user) if user else None


def team(session: Session, actor: Actor, team_id: str) -> Team | None:
    """One team."""
    return session.scalars(visible(Team, actor).where(Team.id == team_id)).first()


def open_tasks_under(session: Session, actor: Actor, path: str, programme: str | None) -> Sequence[Task]:
    """Tasks at or under an area path that are still to be done, by id, locked."""
    statement = visible(Task, actor).where(Task.state == "open", under(Task.area_path, path))
    if programme:
        statement = statement.where(Task.programme == programme)
    return session.scalars(statement.order_by(Task.id).with_for_update()).all()


def tasks(session: Session, actor: Actor, team_id: str) -> Sequence[Task]:
    """Tasks of a team, by id."""
    return session.scalars(visible(Task, actor).where(Task.team_id == team_id).order_by(Task.id)).all()


def task(session: Session, actor: Actor, task_id: str) -> Task | None:
    """One task."""
    return session.scalars(visible(Task, actor).where(Task.id == task_id)).first()


def teams_by_ids(session: Session, actor: Actor, ids: Sequence[str]) -> dict[str, Team]:
    """Teams with these ids."""
    return {row.id: row for row in session.scalars(visible(Team, actor).where(Team.id.in_(ids)))}


def task_cards(session: Session, actor: Actor, ids: Sequence[str]) -> Sequence[Any]:
    """Tasks with these ids as plain rows of what a device shows."""
    columns = (Task.id, Task.site_id, Task.programme, Task.state)
    return session.execute(visible(Task, actor).with_only_columns(*columns).where(Task.id.in_(ids))).all()


def hold_task(session: Session, actor: Actor, task_id: str) -> dict[str, Any] | None:
    """site_id, team_id and ver of a task, locked until the end of the transaction; None where there is none."""
    return hold_tasks(session, actor, [task_id]).get(task_id)


def hold_tasks(session: Session, actor: Actor, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The same for many, locked in order of id."""
    found = session.execute(_held_tasks(actor), {"ids": list(ids)})
    return {row.id: dict(row._mapping) for row in found}


@lru_cache(maxsize=16)
def _held_tasks(actor: Actor) -> Any:
    """Asked in every push (by the system), so made once."""
    columns = (Task.id, Task.site_id, Task.team_id, Task.ver)
    held = visible(Task, actor).with_only_columns(*columns).where(Task.id.in_(bindparam("ids", expanding=True)))
    return plain(held.order_by(Task.id).with_for_update())


def progress(session: Session, actor: Actor) -> dict[str, int]:
    """Number of tasks by state."""
    statement = visible(Task, actor).with_only_columns(Task.state, func.count()).group_by(Task.state)
    return {row[0]: row[1] for row in session.execute(statement)}
