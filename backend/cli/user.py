"""`user …`: people, and who holds a post from which day. A password is asked for, never printed."""

from datetime import datetime
from typing import Any

import click
from sqlalchemy.orm import Session

from backend.access.roles import ROLES
from backend.access.scope import SYSTEM
from backend.accounts import queries as accounts
from backend.accounts import tokens
from backend.accounts.models import User
from backend.cli import as_json, show, with_app
from backend.database import snapshot
from backend.errors import Invalid, NotFound
from backend.ops.apply import submit
from backend.territory import queries as territory


def add_user(
    login: str, name: str, role: str, area: str, department: str | None, password: str | None
) -> dict[str, Any]:
    """Add a person to an area (code of a city, district, township or site; empty: none).

    Raises Problem: unknown area or department, a login that is taken, a password too short.
    """
    with snapshot() as session:
        path = territory.area_path(session, area) if area else None
        is_known = department is None or department in territory.department_ids(session)
    if area and path is None:
        raise Invalid(f"unknown area {area}")
    if not is_known:
        raise Invalid(f"unknown department {department}")
    args = {
        "login": login, "name": name, "role": role, "areas": [path] if path else [],
        "department_id": department,
        "password_hash": tokens.hash_password(password) if password else None,
    }  # fmt: skip
    done = submit("user.add", args, SYSTEM, ent=("user", f"u-{login}"))
    return {"login": login, "status": done.status}


def person(session: Session, login: str) -> User:
    """Who signs in so. Raises NotFound."""
    found = accounts.user_by_login(session, login)
    if found is None:
        raise NotFound(f"nobody signs in as {login}")
    return found


@click.group()
def user() -> None:
    """People and posts."""


@user.command("add")
@click.argument("login")
@click.option("--name", required=True)
@click.option("--role", required=True, type=click.Choice([role for role in ROLES if role != "system"]))
@click.option("--area", default="", help="code of a city, district, township or site")
@click.option("--department", help="id of a department")
@click.option("--password", prompt=True, hide_input=True, envvar="HUYUAN_NEW_PASSWORD")
@as_json
@with_app
def user_add(login: str, name: str, role: str, area: str, department: str | None, password: str, as_json: bool) -> None:
    """Add a person; the password is asked for."""
    show(add_user(login, name, role, area, department, password), as_json)


@user.command("list")
@as_json
@with_app
def user_list(as_json: bool) -> None:
    """All people."""
    with snapshot() as session:
        rows = accounts.users(session, SYSTEM)
        facts = [{"login": u.login, "name": u.name, "role": u.role, "areas": u.areas} for u in rows]
    show(facts, as_json)


@user.command("hold-post")
@click.argument("post_id")
@click.argument("person")
@click.option("--from", "from_on", type=click.DateTime(["%Y-%m-%d"]), required=True, help="first day")
@as_json
@with_app
def user_hold_post(post_id: str, person: str, from_on: datetime, as_json: bool) -> None:
    """From a day on this person holds the post; who held it until then ends the day before."""
    day = from_on.date().isoformat()
    done = submit("post.hold", {"person": person, "from_on": day}, SYSTEM, ent=("post", post_id))
    show({"post": post_id, "person": person, "from": day, "status": done.status}, as_json)
