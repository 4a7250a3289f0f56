"""Loading a city: what differs is written, nothing else. Posts are told of as an event, not written here."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.effects import Changed, Effect, Event, OpLike
from backend.errors import Invalid
from backend.territory import queries
from backend.territory.models import TerritoryVersion
from backend.territory.rules import Difference, Row

_FEED: Mapping[str, str] = {"areas": "area", "sites": "site", "departments": "department"}


def load(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`city.load`: rows that are new or differ are written; rows the files lack are kept, counted.

    Status noop where no row of the territory differs (posts and holders follow from the event, in any case).
    Raises Invalid where rows do not fit the tables.
    """
    try:
        found = queries.differing(session, op.args)
    except ValueError as fault:
        raise Invalid(str(fault)) from fault
    effect = Effect(changes=[each for name, made in found.items() for each in _write(session, name, made)])
    now_known = queries.version(session)
    is_new = any(found.values()) or now_known is None or now_known.is_sample != op.args["sample"]
    if is_new:
        _raise_version(session, op.args["id"], op.args["sample"])
    effect.events.append(Event("city.loaded", {"posts": op.args["posts"], "holdings": op.args["holdings"]}))
    effect.status = "applied" if is_new else "noop"
    effect.summary = effect.result = {
        "changed": {name: len(made) for name, made in found.items()},
        "absent": {name: len(made.absent) for name, made in found.items() if made.absent},
        "area_path": op.args["id"],
    }
    return effect


def _write(session: Session, name: str, made: Difference) -> list[Changed]:
    """Bulk statements past the ORM: a city is thousands of rows. Returns what devices must hear of."""
    table = queries.TABLES[name].__table__
    has_ver = "ver" in table.c
    new = [{**row, "ver": 1} if has_ver else dict(row) for row in made.new]
    old = [{**row, "ver": there["ver"] + 1} if has_ver else dict(row) for row, there in made.changed]
    if new:
        session.execute(insert(table), new)
    if old:
        values: dict[str, Any] = {key: bindparam(f"b_{key}") for key in old[0] if key != "id"}
        statement = update(table).where(table.c.id == bindparam("b_id")).values(values)
        session.connection().execute(statement, [{f"b_{key}": v for key, v in row.items()} for row in old])
    if name not in _FEED:
        return []
    told = [Changed(_FEED[name], row["id"], 1, buckets(name, row)) for row in new]
    for row, there in made.changed:
        inside = buckets(name, row)
        left = tuple(bucket for bucket in buckets(name, there) if bucket not in inside)
        told.append(Changed(_FEED[name], row["id"], there["ver"] + 1, inside, left))
    return told


def buckets(name: str, row: Row) -> tuple[str, ...]:
    if name == "sites":
        return (f"district:{row['district_id']}",)
    if name == "areas" and row["level"] == "township":
        return (f"district:{row['parent_id']}",)
    return ("global",)


def _raise_version(session: Session, city: str, is_sample: bool) -> None:
    raised = update(TerritoryVersion).values(v=TerritoryVersion.v + 1, city_id=city, is_sample=is_sample)
    if session.execute(raised.returning(TerritoryVersion.v)).first() is None:
        session.execute(insert(TerritoryVersion).values(id=1, v=1, city_id=city, is_sample=is_sample))
    session.info.pop("territory", None)
