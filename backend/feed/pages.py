"""Reading the feed for devices: pages, horizons, checks. Nothing is written here, no payload is known."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, bindparam, func, select, text
from sqlalchemy.orm import Session

from backend.feed.models import FeedHorizon, FeedRow
from sync_protocol import checks as sums

_ROW = "bucket, type, id, clock, sub, is_member, ver"
_COLUMNS = tuple(FeedRow.__table__.c[name] for name in _ROW.split(", "))
_LOW = (1 << 32) - 1
Check = tuple[int, str]
_MOST_KEPT = 20_000
KEPT_SUMS: dict[tuple[Any, ...], tuple[tuple[int, int], Check]] = {}


@lru_cache(maxsize=256)
def _page_of(count: int) -> TextClause:
    """One index range per bucket, each ended at the limit, and their union in feed order."""
    arms = [
        f"SELECT * FROM (SELECT {_ROW} FROM feed_rows WHERE bucket = :b{n} AND (clock, sub) > (:c{n}, :s{n})"
        f" ORDER BY clock, sub LIMIT :most) AS a{n}"
        for n in range(count)
    ]
    return text(" UNION ALL ".join(arms) + " ORDER BY clock, sub, bucket LIMIT :most")


def page(session: Session, since: Mapping[str, Sequence[int]], limit: int) -> Sequence[Any]:
    """Rows after `since[bucket] = (clock, sub)` in feed order, at most `limit` (rule G1)."""
    if not since:
        return []
    given: dict[str, Any] = {"most": limit}
    for n, (bucket, (clock, sub)) in enumerate(since.items()):
        given |= {f"b{n}": bucket, f"c{n}": clock, f"s{n}": sub}
    return session.execute(_page_of(len(since)), given).all()


def holding(session: Session, buckets: Sequence[str], types: Sequence[str]) -> Sequence[str]:
    """Those of `buckets` that have rows of `types`."""
    where = (FeedRow.bucket.in_(buckets), FeedRow.type.in_(types))
    return session.scalars(select(FeedRow.bucket).where(*where).distinct()).all()


def horizons(session: Session, buckets: Iterable[str]) -> dict[str, int]:
    """Horizon clock of each bucket that has one."""
    return {row.bucket: row.clock for row in session.execute(_HORIZONS, {"buckets": list(buckets)})}


_HORIZONS = select(FeedHorizon.bucket, FeedHorizon.clock).where(
    FeedHorizon.bucket.in_(bindparam("buckets", expanding=True))
)


def forgettable(session: Session, upto: int) -> Sequence[str]:
    """Buckets that have removals not newer than the clock `upto`."""
    where = (FeedRow.is_member.is_(False), FeedRow.clock <= upto)
    return session.scalars(select(FeedRow.bucket).where(*where).distinct().order_by(FeedRow.bucket)).all()


def members(session: Session, bucket: str, types: Sequence[str], most: int | None = None) -> Sequence[Any]:
    """What is in a bucket now: rows of `types`, by type and id, at most `most`."""
    where = (FeedRow.bucket == bucket, FeedRow.is_member, FeedRow.type.in_(types))
    statement = select(*_COLUMNS).where(*where).order_by(FeedRow.type, FeedRow.id).limit(most)
    return session.execute(statement).all()


def changed(session: Session, bucket: str, since: int) -> int:
    """How many rows of a bucket changed after the clock `since`."""
    where = (FeedRow.bucket == bucket, FeedRow.clock > since)
    return session.scalars(select(func.count()).select_from(FeedRow).where(*where)).one()


@lru_cache(maxsize=256)
def _lasts_of(count: int) -> TextClause:
    arms = [f"SELECT :b{n} AS bucket, max(clock) AS clock FROM feed_rows WHERE bucket = :b{n}" for n in range(count)]
    return text(" UNION ALL ".join(arms))


def lasts(session: Session, buckets: Sequence[str]) -> dict[str, int]:
    """Clock of the last change of each bucket; 0 where nothing was ever in it."""
    if not buckets:
        return {}
    given = {f"b{n}": bucket for n, bucket in enumerate(buckets)}
    return {row.bucket: row.clock or 0 for row in session.execute(_lasts_of(len(buckets)), given)}


_SUMS = text(
    f"SELECT bucket, count(*) AS n, sum(h & {_LOW}) AS low, sum((h >> 32) & {_LOW}) AS high FROM feed_rows"
    " WHERE bucket IN :buckets AND type IN :types AND is_member GROUP BY bucket"
).bindparams(bindparam("buckets", expanding=True), bindparam("types", expanding=True))
"""In two halves: the sum of 64-bit numbers overflows in SQLite. The position index holds every column of it."""


def checks(
    session: Session, epoch: str, buckets: Sequence[str], types: tuple[str, ...], horizon: Mapping[str, int]
) -> dict[str, Check]:
    """P43: (count, sum) of the members of each bucket, as of this snapshot, of the types a device reads.

    Kept per process for as long as the bucket's last change and its horizon are the same: whatever alters the
    members raises the one, and forgetting that it did raises the other.
    """
    state = {bucket: (clock, horizon.get(bucket, 0)) for bucket, clock in lasts(session, buckets).items()}
    known = {b: KEPT_SUMS[epoch, b, types] for b in buckets if (epoch, b, types) in KEPT_SUMS}
    found = {b: made for b, (at, made) in known.items() if at == state[b]}
    unknown = [bucket for bucket in buckets if bucket not in found]
    if unknown:
        rows = session.execute(_SUMS, {"buckets": unknown, "types": types})
        made = {r.bucket: (r.n, sums.spelt(int(r.low) + (int(r.high) << 32))) for r in rows}
        if len(KEPT_SUMS) > _MOST_KEPT:
            KEPT_SUMS.clear()
        for bucket in unknown:
            found[bucket] = made.get(bucket, sums.check(()))
            KEPT_SUMS[epoch, bucket, types] = (state[bucket], found[bucket])
    return {bucket: found[bucket] for bucket in buckets}
