"""Which exports there are, in which forms, and their making into a file. Who may is the views'; no sums are made here."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import IO, Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.errors import NotFound
from backend.exports import tables
from backend.exports.ledgers import area_rows
from backend.ledgers import queries, rules, sheet
from backend.responsibility import gaps

_TABLES = ("csv", "xlsx", "jsonl")


@dataclass(frozen=True, slots=True)
class Export:
    """One export: title, columns, forms, and its rows at a node as an actor sees them on a day."""

    title: str
    columns: tables.Columns
    forms: tuple[str, ...]
    rows: Callable[[Session, Actor, str, date], Iterable[Mapping[str, Any]]]


def _listed(kind: str) -> Callable[[Session, Actor, str, date], Iterable[Mapping[str, Any]]]:
    return lambda session, actor, node, today: queries.lists(session, actor, kind, node)


EXPORTS: Mapping[str, Export] = {
    "problems": Export("问题", sheet.COLUMNS, (*_TABLES, "geojson"), lambda session, actor, node, today: sheet.rows(session, actor, node)),
    "responsibilities": Export("责任清单", rules.RESPONSIBILITY_COLUMNS, _TABLES, _listed("responsibility")),
    "rectifications": Export("整改清单", rules.RECTIFICATION_COLUMNS, _TABLES, _listed("rectification")),
    "gaps": Export("责任空白", gaps.COLUMNS, _TABLES, lambda session, actor, node, today: gaps.words(session, actor, node, today)),
    "areas": Export(
        "区域汇总", rules.AREA_COLUMNS, _TABLES, lambda session, actor, node, today: area_rows(queries.rollup(session, actor, node, today))
    ),
}  # fmt: skip


def named(what: str, form: str) -> Export:
    """An export that is made in this form. Raises NotFound."""
    found = EXPORTS.get(what)
    if found is None or form not in found.forms:
        raise NotFound("; ".join(f"{name}: {', '.join(each.forms)}" for name, each in EXPORTS.items()))
    return found


def write(session: Session, actor: Actor, what: str, form: str, node: str, today: date, file: IO[bytes]) -> None:
    """Write an export of a node into a binary file that can seek. Raises NotFound: no such export, no such node of theirs."""
    export = named(what, form)
    tables.FORMS[form][1](file, export.title, export.columns, export.rows(session, actor, node, today), ())
