"""The device's HTTP doors: load → may they → do → dump. No decisions."""

import hashlib
import secrets
from datetime import datetime
from typing import Any

from flask import Blueprint, current_app
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from backend import __version__, incoming
from backend.access.guard import device_actor, require
from backend.access.scope import SYSTEM
from backend.accounts import tokens
from backend.accounts.queries import actor_of
from backend.config import Config
from backend.database import snapshot, transaction
from backend.errors import Problem
from backend.faults import passing
from backend.feed.log import meta
from backend.now import now_utc
from backend.sync import admission, ask, contacts, history, queries, schemas, times
from backend.sync import pull as pulls
from backend.sync import push as pushes
from backend.sync.models import Replica, UnreadablePush
from sync_protocol import PROTO
from sync_protocol.limits import CHUNK_OPS, PROTO_MIN, SCHEMA, SCHEMA_MIN, UPLOAD_CHUNK_BYTES

sync_bp = Blueprint("sync", __name__, url_prefix="/sync/v1")


@sync_bp.get("/hello")
def hello() -> dict[str, Any]:
    config, now = _config(), now_utc()
    names = ("max_ops", "max_request_bytes", "max_inflated_bytes", "max_op_bytes")
    limits = {n: getattr(config, n) for n in names} | {
        "chunk_ops": CHUNK_OPS,
        "upload_chunk_bytes": UPLOAD_CHUNK_BYTES,
    }
    with snapshot() as session:
        epoch = meta(session, SYSTEM).epoch
    speaks = {"proto_min": PROTO_MIN, "proto_max": PROTO, "schema_min": SCHEMA_MIN, "schema_max": SCHEMA,
              "limits": limits, "encodings": list(incoming.ENCODINGS), "version": __version__}  # fmt: skip
    return {"epoch": epoch, "server_time": now.isoformat(), **_closing(now, ""), **speaks}


@sync_bp.post("/enrol")
def enrol() -> tuple[dict[str, Any], int]:
    asked, now = incoming.loaded(schemas.Enrol()), now_utc()
    contacts.tell(code=asked["code"])
    install = asked["install_id"]
    with transaction() as session:
        device, token, user = tokens.redeem(session, asked["code"], install, asked["app"], now)
        actor = actor_of(user, device_id=device)
        replica = pushes.register(session, actor, install, device, _replica_id(), now)
        known = {"device": device, "token": token, "user": {"id": user.id, "name": user.name}}
        standing = _standing(session, replica)
    passing("enrol.before_reply")
    return known | standing | {"time": times.stamp(_config(), now, standing["replica"])}, 201


@sync_bp.post("/replicas")
def replicas() -> tuple[dict[str, Any], int]:
    actor, asked, now = device_actor(), incoming.loaded(schemas.Register()), now_utc()
    history.heed(asked["cursor"], actor, _key(), now)
    with transaction() as session:
        replica = pushes.register(session, actor, asked["install_id"], asked["nonce"], _replica_id(), now)
        answer = _standing(session, replica)
    passing("replica.before_reply")
    return answer, 201


@sync_bp.post("/push")
def push() -> dict[str, Any]:
    now, actor, raw = now_utc(), device_actor(), b""
    try:
        raw = incoming.body()
        asked = incoming.parsed(raw)
        answer = pushes.receive(asked, actor, now, _config())
    except Problem as problem:
        if problem.code == "bad_frame":
            _quarantine(actor.device_id, getattr(problem, "raw", raw), problem.detail)
        raise
    passing("push.before_reply")
    return {**answer, **_closing(now, asked["replica"])}


@sync_bp.post("/pull")
def pull() -> dict[str, Any]:
    now, actor = now_utc(), device_actor()
    require(actor, "sync")
    body, key = incoming.loaded(schemas.Pull()), _config().secret_key.encode()
    asked, store = ask.read(body), current_app.extensions["bundle_store"]
    try:
        with admission.lanes().work("pull"), snapshot() as session:
            answer = pulls.page(session, asked, actor, key, store)
    except history.Ahead as ahead:
        raise history.begin(ahead, actor, now) from ahead
    contacts.tell(
        clock=answer["as_of"] if answer["complete"] else None, **{n: body[n] for n in ("outbox_len", "proto", "schema")}
    )
    return {**answer, **_closing(now, body["replica"])}


@sync_bp.post("/ops/status")
def ops_status() -> dict[str, Any]:
    actor, asked = device_actor(), incoming.loaded(schemas.OpsStatus())
    with snapshot() as session:
        found = queries.statuses(session, actor, asked["op_ids"])
        return {"epoch": meta(session, actor).epoch, "ops": [pulls.ack(op) for op in found]}


@sync_bp.get("/attention")
def attention() -> dict[str, Any]:
    actor = device_actor()
    with snapshot() as session:
        found = queries.attention(session, actor)
        return {"epoch": meta(session, actor).epoch, "ops": [pulls.ack(op) for op in found]}


def _standing(session: Session, replica: Replica) -> dict[str, Any]:
    """Where a replica goes on; that of a registration sent again may have moved meanwhile."""
    epoch = meta(session, SYSTEM).epoch
    return {"replica": replica.id, "epoch": epoch, "next_seq": replica.next_seq, "head": replica.head}


def _quarantine(device_id: str | None, raw: bytes, reason: str) -> None:
    """P5: the server keeps the bytes aside; the same ones sent again are the same."""
    row = {
        "device_id": device_id,
        "fp": hashlib.sha256(raw).hexdigest(),
        "received_at": now_utc(),
        "reason": reason[:200],
        "body": raw,
    }
    with transaction() as session:
        dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
        session.execute(dialect.insert(UnreadablePush).values(row).on_conflict_do_nothing())


def _closing(t1: datetime, replica: object) -> dict[str, Any]:
    """What every answer ends with: the server's time, when to come again."""
    return {"time": times.stamp(_config(), t1, replica), "next_sync_after": admission.lanes().next_sync_s()}


def _config() -> Config:
    found: Config = current_app.extensions["config"]
    return found


def _key() -> bytes:
    return _config().secret_key.encode()


def _replica_id() -> str:
    return f"r-{secrets.token_hex(8)}"
