"""Loading a city: upsert what differs, nothing else. People who hold posts are told of as an event."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.effects import Changed, Effect, Event, OpLike
from backend.territory.models import Area, Department, Site, TerritoryVersion, Zone

_TABLES: Mapping[str, Any] = {"areas": Area, "zones": Zone, "sites": Site, "departments": Department}
_FEED: Mapping[str, str] = {"areas": "area", "sites": "site", "departments": "department"}


def load(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`city.load`: rows that are new or differ are written; status noop where none is."""
    effect, counts = Effect(), dict[str, int]()
    for name, table in _TABLES.items():
        changed = upsert(session, table, op.args[name])
        counts[name] = len(changed)
        if name in _FEED:
            effect.changes += [
                Changed(_FEED[name], row["id"], row["ver"], _buckets(name, row)) for row in changed
            ]
    if any(counts.values()):
        _raise_version(session, op.args["id"])
    effect.events.append(Event("city.loaded", {"posts": op.args["posts"], "holdings": op.args["holdings"]}))
    effect.status = "applied" if any(counts.values()) else "noop"
    effect.summary = effect.result = {"changed": counts, "area_path": op.args["id"]}
    return effect


def upsert(session: Session, table: Any, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Insert or update the rows that differ (compared column by column); returns those, with their new `ver`."""
    there = {row.id: row for row in session.scalars(visible(table, SYSTEM))}
    new, old = [], []
    has_ver = hasattr(table, "ver")
    for row in rows:
        kept = there.get(row["id"])
        if kept is None:
            new.append({**row, "ver": 1} if has_ver else dict(row))
        elif any(getattr(kept, k) != v for k, v in row.items()):
            old.append({**row, "ver": kept.ver + 1} if has_ver else dict(row))
    session.expunge_all()
    if new:
        session.execute(insert(table), new)
    for row in old:
        session.execute(update(table).where(table.id == bindparam("row_id")).values({k: v for k, v in row.items() if k != "id"}),
                        {"row_id": row["id"]})  # fmt: skip
    return [*new, *old]


def _buckets(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    if name == "sites":
        return (f"district:{row['district_id']}",)
    if name == "areas" and row["level"] == "township":
        return (f"district:{row['parent_id']}",)
    return ("global",)


def _raise_version(session: Session, city: str) -> None:
    moved = update(TerritoryVersion).values(v=TerritoryVersion.v + 1, city_id=city)
    if session.execute(moved).rowcount == 0:
        session.execute(insert(TerritoryVersion).values(id=1, v=1, city_id=city))
    session.info.pop("territory", None)
