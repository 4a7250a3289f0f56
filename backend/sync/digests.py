"""What a bucket holds, told in 256 parts or by ids, and the record of a difference that no reset healed (P44)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.database import clock
from backend.errors import NotFound
from backend.feed import pages
from backend.feed.log import meta
from backend.sync import entities
from backend.sync.models import Divergence
from backend.sync.scope import buckets
from sync_protocol import checks

log = structlog.get_logger(__name__)
LISTS = ("missing", "extra", "other")


@dataclass(frozen=True, slots=True)
class Asked:
    """A digest: of which bucket, of which of its parts the ids (None: only their checks), and what was found."""

    bucket: str
    schema: int
    parts: Sequence[int] | None
    replica: str
    report: Mapping[str, Any] | None


def answer(session: Session, asked: Asked, actor: Actor) -> dict[str, Any]:
    """The answer to POST /digest, as of this snapshot. Raises NotFound for a bucket that is not the asker's."""
    if asked.bucket not in buckets(session, actor):
        raise NotFound("no such bucket")
    found = pages.members(session, asked.bucket, entities.known(asked.schema))
    members = [(row.type, row.id, row.ver) for row in found]
    told: dict[str, Any] = {
        "epoch": meta(session, actor).epoch,
        "as_of": clock(session),
        "bucket": asked.bucket,
    }
    told["check"] = checks.check(members)
    if asked.parts is None:
        return {**told, "parts": checks.parts(members)}
    wanted = set(asked.parts)
    return {**told, "members": [member for member in members if wanted and checks.part_of(member) in wanted]}


def keep(session: Session, asked: Asked, actor: Actor, told: Mapping[str, Any], now: datetime) -> None:
    """Record what a device reports, once, however often it says so. Call inside `transaction()`."""
    report = dict(asked.report or {})
    row = {
        "replica": asked.replica, "device_id": actor.device_id or "", "user_id": actor.id, "bucket": asked.bucket,
        "epoch": told["epoch"], "as_of": report["as_of"], "told_at": now, "here": report["here"], "there": report["there"],
        "differing": {name: report[name] for name in LISTS},
    }  # fmt: skip
    log.error(
        "bucket_diverged",
        bucket=asked.bucket,
        replica=asked.replica,
        here=report["here"],
        there=report["there"],
    )
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    once = dialect.insert(Divergence).values(row)
    session.execute(once.on_conflict_do_nothing(index_elements=["replica", "bucket", "epoch", "as_of"]))
