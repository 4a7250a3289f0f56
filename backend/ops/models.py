"""The op log (custody of everything that was ever asked for) and the jobs. No queries, no decisions."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime

_HELD = text("status IN ('parked', 'blocked')")  # the few that somebody still has to decide


class LoggedOp(Scoped, Base):
    """One op, verbatim (`body` is never serialised again, invariant I12), with its outcome. `t_*`: when it was
    recorded, estimated from the device's evidence (P82); nothing is ever decided by them (I15)."""

    __tablename__ = "op_log"
    __scope__ = Scope(area="area_path")
    op_id: Mapped[str] = mapped_column(Key, primary_key=True)
    fp: Mapped[str] = mapped_column(String(64))
    replica: Mapped[str | None] = mapped_column(Key)
    seq: Mapped[int | None] = mapped_column(BigInteger)
    actor_id: Mapped[str] = mapped_column(Key)
    custodian: Mapped[str | None] = mapped_column(Key)
    verb: Mapped[str] = mapped_column(String(60))
    v: Mapped[int] = mapped_column(Integer, default=1)
    ent_type: Mapped[str] = mapped_column(String(40), default="")
    ent_id: Mapped[str] = mapped_column(String(100), default="")
    area_path: Mapped[str] = mapped_column(AreaPath, default="")
    body: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    t_est_ms: Mapped[int | None] = mapped_column(BigInteger)
    t_lo_ms: Mapped[int | None] = mapped_column(BigInteger)
    t_hi_ms: Mapped[int | None] = mapped_column(BigInteger)
    t_quality: Mapped[str | None] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(String(24))
    detail: Mapped[str | None] = mapped_column(Text)
    flags: Mapped[list[str]] = mapped_column(JSON, default=list)
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    clock: Mapped[int] = mapped_column(BigInteger)
    ver: Mapped[int | None] = mapped_column(Integer)
    txn: Mapped[str | None] = mapped_column(Key)
    __table_args__ = (
        UniqueConstraint("replica", "seq"),
        Index("ix_op_log_attention", "actor_id", "status", sqlite_where=_HELD, postgresql_where=_HELD),
    )


class OpWait(Base):
    """`op_id` is blocked until `on_op` is carried out (P31). `on_op` may not have arrived yet."""

    __tablename__ = "op_waits"
    op_id: Mapped[str] = mapped_column(Key, primary_key=True)
    on_op: Mapped[str] = mapped_column(Key, primary_key=True, index=True)


class OpIncident(Base):
    """An op whose id was used for another content: kept beside the log, never applied (op_id_reused)."""

    __tablename__ = "op_incidents"
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    op_id: Mapped[str] = mapped_column(Key, index=True)
    fp: Mapped[str] = mapped_column(String(64))
    replica: Mapped[str | None] = mapped_column(Key)
    seq: Mapped[int | None] = mapped_column(BigInteger)
    body: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Job(Base):
    """Work that follows a change but is too slow for its transaction. `key` is unique: asking twice is harmless."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(160), unique=True)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    run_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    last_error: Mapped[str | None] = mapped_column(Text)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_dead: Mapped[bool] = mapped_column(Boolean, default=False)
    __table_args__ = (Index("ix_jobs_due", "done_at", "is_dead", "run_at"),)
