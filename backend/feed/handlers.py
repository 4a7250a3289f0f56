"""What an op does to the server's own standing: a new epoch, and up to where devices may let go. No rows of
the feed."""

from datetime import datetime

from sqlalchemy import func, insert, update
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.effects import Effect, OpLike
from backend.errors import Refused
from backend.feed.log import meta
from backend.feed.models import Epoch, ServerMeta


def begin(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`epoch.begin`: from here on this is another history; every device is told and offers again (P21).

    `durable_clock` stays: what a verified backup held when this copy was made, both histories share.
    """
    epoch, was = op.args["epoch"], meta(session, SYSTEM).epoch
    last = session.execute(visible(Epoch, SYSTEM).with_only_columns(func.max(Epoch.n))).scalar_one()
    facts = {"clock": op.args["clock"], "reason": op.args["reason"], "detail": dict(op.args["detail"])}
    session.execute(insert(Epoch).values(epoch=epoch, n=last + 1, began_at=now, **facts))
    session.execute(update(ServerMeta).values(epoch=epoch))
    return Effect(summary={"was": was, "epoch": epoch, **facts})


def note_backup(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`backup.note`: a backup was verified; what it holds is durable (P22, P64). Never moves back.

    Whether the backup is of this very history is asked by who submits this. Refuses conflict in another
    epoch.
    """
    server = meta(session, SYSTEM)
    if op.args["epoch"] != server.epoch:
        raise Refused("conflict", "the backup is of another epoch than this server")
    if op.args["clock"] <= server.durable_clock:
        return Effect(status="noop")
    session.execute(update(ServerMeta).values(durable_clock=op.args["clock"]))
    return Effect(summary={"durable_clock": op.args["clock"], "backup": op.ent_id, "sha256": op.args["sha256"]})
