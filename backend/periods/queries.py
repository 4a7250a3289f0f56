"""Reads of what was published, and of the same question put now; each begins with who asks. Nothing is changed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func
from sqlalchemy.orm import Session

from backend import incoming
from backend.access.roles import may
from backend.access.scope import SYSTEM, Actor, is_within, lies, sees, under, visible
from backend.database import clock as clock_now
from backend.errors import NotFound
from backend.ledgers import queries as ledgers
from backend.periods import counting, rules
from backend.periods.models import LedgerPeriod, PeriodCell, PeriodChange
from backend.periods.rules import KEY, MEASURES, Window
from backend.problems.models import Problem
from backend.territory import queries as territory

CELL: tuple[str, ...] = (*KEY, *MEASURES)
CHANGE: tuple[str, ...] = (*CELL, "problem_id", "reason", "told")
HEAD = ("number", "period", "edition", "restates", "timezone", "clock", "completeness")
AXES = ("area", *ledgers.AXES)
MOST = 1000


def axis(text: str | None) -> str:
    """The axis that a reader names, else the place. Raises Invalid."""
    return "area" if text is None else incoming.one_of("by", text, AXES)


def get(session: Session, actor: Actor, number: str) -> LedgerPeriod | None:
    """One publication."""
    return session.scalars(visible(LedgerPeriod, actor).where(LedgerPeriod.number == number)).first()


def published(session: Session, actor: Actor, number: str) -> LedgerPeriod:
    """A published period that is no restatement. Raises NotFound."""
    found = get(session, actor, number)
    if found is None or found.restates is not None:
        raise NotFound()
    return found


def edition_of(session: Session, actor: Actor, number: str, text: str | None) -> LedgerPeriod | None:
    """A restatement by its edition; None: the question is put now. Raises NotFound."""
    if text is None:
        return None
    found = next((each for each in restatements(session, actor, number) if str(each.edition) == text), None)
    if found is None:
        raise NotFound("no such restatement")
    return found


def key_of(asked: Window, edition: int) -> str:
    """What is unique of a publication: its days, whatever they are called, and its edition."""
    return f"{asked.from_on}/{asked.to_on}#{edition}"


def of_period(session: Session, actor: Actor, asked: Window) -> LedgerPeriod | None:
    """The first publication of a period."""
    return session.scalars(visible(LedgerPeriod, actor).where(LedgerPeriod.period_key == key_of(asked, 0))).first()


def restatements(session: Session, actor: Actor, number: str) -> Sequence[LedgerPeriod]:
    """Those of a published period, the oldest first."""
    named = visible(LedgerPeriod, actor).where(LedgerPeriod.restates == number)
    return session.scalars(named.order_by(LedgerPeriod.edition)).all()


def last_restatement(session: Session, actor: Actor, number: str) -> LedgerPeriod | None:
    """The newest of them."""
    return next(reversed(restatements(session, actor, number)), None)


def page(session: Session, actor: Actor, after: tuple[datetime, str] | None, limit: int) -> Sequence[LedgerPeriod]:
    """Publications, the newest first, those after a position (time, number)."""
    statement = visible(LedgerPeriod, actor)
    if after:
        at, number = after
        statement = statement.where(
            (LedgerPeriod.published_at < at) | ((LedgerPeriod.published_at == at) & (LedgerPeriod.number < number))
        )
    newest = statement.order_by(LedgerPeriod.published_at.desc(), LedgerPeriod.number.desc())
    return session.scalars(newest.limit(limit)).all()


def window_of(period: LedgerPeriod) -> Window:
    """Its days of the city."""
    return rules.window(period.period, ZoneInfo(period.timezone))


def told(session: Session, actor: Actor, period: LedgerPeriod) -> dict[str, Any]:
    """A publication's head as this reader may see it: of its completeness the districts that are theirs; devices by name only
    to who looks after all of the city's."""
    said = dict(period.completeness)
    city = territory.city_id(session)
    said["districts"] = {d: share for d, share in said["districts"].items() if is_within(actor, f"{city}/{d}")}
    if said["devices"] and not (is_within(actor, city) and may(actor.role, "sync.watch")):
        said["devices"] = {**said["devices"], "silent_devices": None}
    same = ("number", "period", "edition", "restates", "clock", "note", "rows", "digest")
    return {
        **{name: getattr(period, name) for name in same}, "from_on": period.from_on.isoformat(), "to_on": period.to_on.isoformat(),
        "at": period.at.isoformat(), "published_at": period.published_at.isoformat(), "by": period.published_by, "completeness": said,
    }  # fmt: skip


def checked(session: Session, period: LedgerPeriod) -> dict[str, bool]:
    """Whether what is kept is what was digested, and whether the lines still tell the same (for whoever asks: no figures)."""
    asked = window_of(period)
    first = get(session, SYSTEM, period.restates) if period.restates else None
    if first is None:
        again, names = counting.cells(session, asked, period.clock), CELL
        kept = visible(PeriodCell, SYSTEM).with_only_columns(*(getattr(PeriodCell, name) for name in CELL))
        stored = [
            dict(zip(CELL, row, strict=True)) for row in session.execute(kept.where(PeriodCell.number == period.number))
        ]
    else:
        again, names = counting.changes(session, asked, first.clock, period.clock), CHANGE[:-1]
        stored = changes(session, SYSTEM, first, period, territory.city_id(session))
    told = [sorted(tuple(str(row[name]) for name in names) for row in rows) for rows in (stored, again)]
    return {"is_intact": is_intact(session, period), "is_reproduced": told[0] == told[1]}


def is_same(
    session: Session, first: LedgerPeriod, last: LedgerPeriod | None, found: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether these changes are those that the last restatement told (none, where there is no restatement)."""
    told = changes(session, SYSTEM, first, last, territory.city_id(session)) if last else []
    names = CHANGE[:-1]
    return [[row[name] for name in names] for row in told] == [[row[name] for name in names] for row in found]


def is_intact(session: Session, period: LedgerPeriod) -> bool:
    """Whether what is kept is what was digested."""
    actor = SYSTEM
    names = CELL if period.restates is None else CHANGE
    model: Any = PeriodCell if period.restates is None else PeriodChange
    columns = [getattr(model, name) for name in names]
    kept = visible(model, actor).with_only_columns(*columns).where(model.number == period.number).order_by(model.n)
    rows = (dict(zip(names, row, strict=True)) for row in session.execute(kept.execution_options(yield_per=5000)))
    return rules.digest({name: getattr(period, name) for name in HEAD}, rows, names) == period.digest


def rollup(session: Session, actor: Actor, period: LedgerPeriod, node: str, by: str) -> dict[str, Any]:
    """The published figures at a node, split `by` its children or an axis. Raises NotFound for a node that is not theirs."""
    path, column, kind = _place(session, actor, node, by)
    found = counting.summed(_published(session, actor, period, path, column))
    return {
        "node": node,
        "by": by,
        **_table(session, actor, kind, {key: {"then": f} for key, f in found.items()}, ("then",)),
    }


def restated(
    session: Session, actor: Actor, period: LedgerPeriod, edition: LedgerPeriod | None, node: str, by: str
) -> dict[str, Any]:
    """Then, now, difference and reasons of each row at a node. `edition`: as that restatement told it; None: as of now."""
    path, column, kind = _place(session, actor, node, by)
    clock = edition.clock if edition else clock_now(session)
    then = counting.summed(_published(session, actor, period, path, column))
    now = counting.summed(counting.groups(session, actor, path, column, window_of(period), clock))
    why = _why(changes(session, actor, period, edition, path), column)
    cells = {
        key: {"then": then.get(key, _NONE), "now": now.get(key, _NONE), "why": why.get(key, {})}
        for key in {*then, *now, *why}
    }
    return {"number": period.number, "edition": edition.edition if edition else None, "clock": clock, "node": node, "by": by,
            **_table(session, actor, kind, cells, ("then", "now"))}  # fmt: skip


def changes(
    session: Session, actor: Actor, period: LedgerPeriod, edition: LedgerPeriod | None, path: str
) -> list[dict[str, Any]]:
    """What changed since publication under an area path (placed or not), problem by problem, as far as the actor sees."""
    if edition is not None:
        columns = [getattr(PeriodChange, name) for name in CHANGE]
        kept: Select[Any] = (
            visible(PeriodChange, actor).with_only_columns(*columns).where(PeriodChange.number == edition.number)
        )
        kept = kept.where(under(PeriodChange.area_path, path)).order_by(PeriodChange.n)
        return [dict(zip(CHANGE, row, strict=True)) for row in session.execute(kept)]
    found = counting.changes(session, window_of(period), period.clock, clock_now(session))
    return [
        row for row in found if sees(actor, row["area_path"], row["department_id"]) and lies(row["area_path"], path)
    ]


def rows(
    session: Session, actor: Actor, period: LedgerPeriod, edition: LedgerPeriod | None, node: str, by: str,
    key: str | None, reason: str | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """The problems behind a difference: the first MOST, each with its number. `key` "-": those that have none."""
    path, column, _ = _place(session, actor, node, by)
    found = [
        row for row in changes(session, actor, period, edition, path)
        if row["district_id"] and (key is None or (row[column] or "-") == key) and reason in (None, row["reason"])
    ][:MOST]  # fmt: skip
    ids = sorted({row["problem_id"] for row in found})
    named = visible(Problem, actor).with_only_columns(Problem.id, Problem.number).where(Problem.id.in_(ids))
    numbers = {row.id: row.number for row in session.execute(named)}
    return [{**row, "number": numbers.get(row["problem_id"])} for row in found]


_NONE = [0] * len(MEASURES)


def _place(session: Session, actor: Actor, node: str, by: str) -> tuple[str, str, str]:
    """(area path, column, kind of names) of a node and axis."""
    path = ledgers.path_of(session, actor, node)
    return path, *ledgers.column_of(path, by)


def _published(
    session: Session, actor: Actor, period: LedgerPeriod, path: str, column: str
) -> Iterator[tuple[Any, ...]]:
    by, sums = getattr(PeriodCell, column), [func.sum(getattr(PeriodCell, name)) for name in MEASURES]
    kept = visible(PeriodCell, actor).with_only_columns(by, *sums).where(PeriodCell.number == period.number)
    kept = kept.where(PeriodCell.district_id.is_not(None), under(PeriodCell.area_path, path)).group_by(by)
    yield from map(tuple, session.execute(kept))


def _why(found: Sequence[Mapping[str, Any]], column: str) -> dict[Any, dict[str, list[int]]]:
    made: dict[Any, dict[str, list[int]]] = {}
    for row in found:
        if row["district_id"]:
            at = made.setdefault(row[column], {}).setdefault(row["reason"], list(_NONE))
            at[:] = [a + row[name] for a, name in zip(at, MEASURES, strict=True)]
    return made


def _table(
    session: Session, actor: Actor, kind: str, cells: Mapping[Any, Mapping[str, Any]], sides: Sequence[str]
) -> dict[str, Any]:
    names = ledgers.names_of(session, actor, kind, cells)
    rows = [{"id": key or "-", "name": names.get(key or "", "（其余）"), **_figures(cell, sides)}
            for key, cell in sorted(cells.items(), key=lambda item: item[0] or "~")]  # fmt: skip
    whole: dict[str, Any] = {
        side: [sum(column) for column in zip(_NONE, *(cell[side] for cell in cells.values()), strict=True)]
        for side in sides
    }
    whole["why"] = {}
    for cell in cells.values():
        for reason, counts in cell.get("why", {}).items():
            at = whole["why"].setdefault(reason, list(_NONE))
            at[:] = [a + b for a, b in zip(at, counts, strict=True)]
    return {"total": _figures(whole, sides), "rows": rows}


def _figures(cell: Mapping[str, Any], sides: Sequence[str]) -> dict[str, Any]:
    if len(sides) == 1:
        return dict(zip(MEASURES, cell[sides[0]], strict=True))
    told = {side: dict(zip(MEASURES, cell[side], strict=True)) for side in sides}
    gap = {name: told["now"][name] - told["then"][name] for name in MEASURES}
    why = {reason: dict(zip(MEASURES, counts, strict=True)) for reason, counts in sorted(cell["why"].items())}
    return {**told, "difference": gap, "why": why}
