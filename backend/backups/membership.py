"""Proof about the feed: each live entity is in its buckets and in no other, at its version, and counts there for what it
is. Reads only.

What the buckets of an entity are is asked of the same functions that write the feed; this proves that what
they said was written, kept and moved.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, select
from sqlalchemy.orm import Session

from backend.backups.tally import Finding, Tally
from backend.feed.log import signed
from backend.feed.models import FeedRow
from backend.inspections.models import Inspection
from backend.problems import record as problems
from backend.problems.models import Problem
from backend.programmes.models import Programme
from backend.sweeps.models import Sweep, Task, Team
from backend.territory import handlers as territory
from backend.territory.models import Area, Department, Site
from sync_protocol.checks import weight

Fields = Mapping[str, Any]
LOT = 500
_FEED: Table = FeedRow.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of the feed: its table, the columns that decide, its buckets; id and version where they are
    not so named."""

    table: Any
    columns: tuple[str, ...]
    buckets: Callable[[Fields], tuple[str, ...]]
    id_of: Callable[[Fields], str] = lambda row: str(row["id"])
    ver_of: Callable[[Fields], int] = lambda row: int(row["ver"])


def _everywhere(row: Fields) -> tuple[str, ...]:
    return ("global",)


def _of_team(row: Fields) -> tuple[str, ...]:
    return (f"team:{row['team_id']}",) if row["team_id"] else ()


def _of_problem(row: Fields) -> tuple[str, ...]:
    """A deleted problem is on no device."""
    return () if row["state"] == "deleted" else problems.buckets(row)


PLACED = ("district_id", "township_id", "site_id", "school_id")
KINDS: Mapping[str, Kind] = {
    "area": Kind(Area, ("id", "ver", "level", "parent_id"), lambda row: territory.buckets("areas", row)),
    "department": Kind(Department, ("id", "ver"), _everywhere),
    "site": Kind(Site, ("id", "ver", "district_id"), lambda row: territory.buckets("sites", row)),
    "template": Kind(
        Programme, ("programme", "version"), _everywhere,
        lambda row: f"{row['programme']}:{row['version']}", lambda row: int(row["version"]),
    ),
    "sweep": Kind(Sweep, ("id", "ver"), _everywhere),
    "team": Kind(Team, ("id", "ver"), lambda row: (f"team:{row['id']}",)),
    "task": Kind(Task, ("id", "ver", "team_id"), _of_team),
    "inspection": Kind(Inspection, ("id", "ver", "team_id"), _of_team),
    "problem": Kind(Problem, ("id", "ver", "state", *PLACED, "team_id"), _of_problem),
}  # fmt: skip


def members(session: Session, tally: Tally) -> Iterator[Finding]:
    """Every entity against the feed, then every member of the feed against the entities."""
    for name, kind in KINDS.items():
        table = kind.table.__table__
        for lot in _lots(session, select(*(table.c[c] for c in kind.columns)).order_by(*table.primary_key)):
            tally.rows += len(lot)
            yield from _against_feed(session, name, kind, lot)
    names = ("bucket", "type", "id", "ver", "h")
    here = select(*(_FEED.c[name] for name in names)).where(_FEED.c.is_member)
    for lot in _lots(session, here.order_by(_FEED.c.type, _FEED.c.id)):
        yield from _against_entities(session, lot)


def _lots(session: Session, statement: Select[Any]) -> Iterator[Sequence[Fields]]:
    """Rows in lots of LOT, each lot read whole before the next: other reads may happen in between."""
    rows = session.connection().execution_options(yield_per=LOT).execute(statement)
    for lot in rows.mappings().partitions(LOT):
        yield [dict(row) for row in lot]


def _against_feed(session: Session, name: str, kind: Kind, lot: Sequence[Fields]) -> Iterator[Finding]:
    ids = [kind.id_of(row) for row in lot]
    held: dict[str, dict[str, int]] = {}
    rows = select(_FEED.c.id, _FEED.c.bucket, _FEED.c.ver).where(
        _FEED.c.type == name, _FEED.c.is_member, _FEED.c.id.in_(ids)
    )
    for ent, bucket, ver in session.execute(rows):
        held.setdefault(ent, {})[bucket] = ver
    for row, ent in zip(lot, ids, strict=True):
        wanted, there = set(kind.buckets(row)), held.get(ent, {})
        for bucket in sorted(wanted - set(there)):
            yield f"{name} {ent}", f"is not in {bucket}"
        for bucket in sorted(set(there) - wanted):
            yield f"{name} {ent}", f"is still in {bucket}"
        for bucket in sorted(b for b in wanted & set(there) if there[b] != kind.ver_of(row)):
            yield f"{name} {ent}", f"is at version {kind.ver_of(row)}, {bucket} was told {there[bucket]}"


def _against_entities(session: Session, lot: Sequence[Fields]) -> Iterator[Finding]:
    for name in sorted({row["type"] for row in lot}):
        ids = sorted({row["id"] for row in lot if row["type"] == name})
        kind = KINDS.get(name)
        there = _there(session, kind, ids) if kind else set()
        for ent in (ent for ent in ids if ent not in there):
            yield f"{name} {ent}", "is in the feed and nowhere else"
    for row in lot:
        if row["h"] != signed(weight(row["type"], row["id"], row["ver"])):
            yield f"{row['type']} {row['id']}", f"does not count in {row['bucket']} for what it is (P43)"


def _there(session: Session, kind: Kind, ids: Sequence[str]) -> set[str]:
    table = kind.table.__table__
    if "id" in table.c:
        return set(session.scalars(select(table.c.id).where(table.c.id.in_(ids))))
    rows = session.execute(select(*(table.c[c] for c in kind.columns))).mappings()
    return {kind.id_of(dict(row)) for row in rows}
