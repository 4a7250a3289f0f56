"""Who sees which rows: a territory subtree crossed with a department's line. Every read begins with `visible`.

A model says with `__scope__` which of its columns hold its area path and its department. A model without area
("public") is seen by everybody who is signed in. No feature is named here.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Select, and_, false, or_, select
from sqlalchemy.sql import ColumnElement

_SEES_ALL = frozenset({"system", "admin"})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `areas` are area paths ("370300/370303"); a row lying at or under one of them is theirs."""

    id: str
    role: str
    areas: tuple[str, ...]
    name: str = ""
    department_id: str | None = None
    teams: tuple[str, ...] = ()
    device_id: str | None = None
    language: str = "zh"


SYSTEM = Actor(id="system", role="system", areas=(), name="系统")


@dataclass(frozen=True, slots=True)
class Scope:
    """Names of the columns that decide who sees a row."""

    area: str | None = None
    department: str | None = None


class Scoped:
    """Mixin of every model: `__scope__` must be said, PUBLIC included."""

    __scope__: ClassVar[Scope]


PUBLIC = Scope()
M = TypeVar("M", bound=Scoped)


def under(column: Any, path: str) -> ColumnElement[bool]:
    """Rows at `path` or below it; a range over bytes, so that an index serves it ("/" + 1 is "0")."""
    return or_(column == path, and_(column >= path + "/", column < path + "0"))


def lies(path: str, area: str) -> bool:
    """Whether a path is an area or lies below it: the same as `under` says in SQL."""
    return path == area or path.startswith(f"{area}/")


def is_within(actor: Actor, path: str) -> bool:
    """Whether all of `path` is the actor's: an area of theirs, or one below it."""
    return actor.role in _SEES_ALL or any(lies(path, area) for area in actor.areas)


def sees(actor: Actor, path: str, department_id: str | None) -> bool:
    """Whether `actor` sees a row lying at this path that is this department's: the same as `condition` says in SQL."""
    return is_within(actor, path) and (actor.role != "department" or department_id == actor.department_id)


def acts_for(actor: Actor, path: str, department_id: str | None) -> bool:
    """Whether `actor` acts for the office of an area (no department) or of a department within one."""
    if actor.role == "department":
        return department_id is not None and department_id == actor.department_id and is_within(actor, path)
    return department_id is None and path in actor.areas


def condition(model: type[Scoped], actor: Actor) -> ColumnElement[bool] | None:
    """The WHERE clause that keeps `actor` within their rows of `model`; None where they see all."""
    scope = model.__scope__
    if scope == PUBLIC or actor.role in _SEES_ALL:
        return None
    parts: list[ColumnElement[bool]] = []
    if scope.area is not None:
        column = getattr(model, scope.area)
        parts.append(or_(*(under(column, path) for path in actor.areas)) if actor.areas else false())
    if scope.department is not None and actor.role == "department":
        parts.append(getattr(model, scope.department) == actor.department_id)
    return and_(*parts) if parts else None


def visible(model: type[M], actor: Actor) -> Select[M]:
    """SELECT of the rows of `model` that `actor` may see; the beginning of every read."""
    where = condition(model, actor)
    statement: Select[M] = _all(model)  # type: ignore[arg-type] # a class can be hashed
    return statement if where is None else statement.where(where)


@cache
def _all(model: type[Any]) -> Any:
    """Made once: to make a statement costs as much as to run a small one."""
    return select(model)
