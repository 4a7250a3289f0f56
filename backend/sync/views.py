"""The device's HTTP doors: load → may they → do → dump. No decisions."""

import secrets
import zlib
from typing import Any

import orjson
from flask import Blueprint, current_app, request
from werkzeug.exceptions import ClientDisconnected

from backend import __version__
from backend.access.guard import device_actor, require
from backend.access.scope import SYSTEM
from backend.accounts import tokens
from backend.accounts.queries import actor_of
from backend.database import snapshot, transaction
from backend.errors import Problem
from backend.feed.log import meta
from backend.ops.apply import now_utc
from backend.sync import pull as pulls
from backend.sync import push as pushes
from backend.sync import queries
from backend.sync.models import UnreadablePush
from sync_protocol import PROTO
from sync_protocol.limits import CHUNK_OPS, PROTO_MIN, SCHEMA, SCHEMA_MIN, UPLOAD_CHUNK_BYTES

sync_bp = Blueprint("sync", __name__, url_prefix="/sync/v1")
NEXT_SYNC_S = 900
CUT = {"retryable": True}  # the line's fault, not the sender's: the same bytes again may arrive whole


@sync_bp.get("/hello")
def hello() -> dict[str, Any]:
    config = current_app.extensions["config"]
    names = ("max_ops", "max_request_bytes", "max_inflated_bytes", "max_op_bytes")
    limits = {n: getattr(config, n) for n in names} | {
        "chunk_ops": CHUNK_OPS,
        "upload_chunk_bytes": UPLOAD_CHUNK_BYTES,
    }
    with snapshot() as session:
        epoch = meta(session, SYSTEM).epoch
    return {"epoch": epoch, "server_time": now_utc().isoformat(), "proto_min": PROTO_MIN, "proto_max": PROTO,
            "schema_min": SCHEMA_MIN, "schema_max": SCHEMA, "limits": limits, "version": __version__, "next_sync_after": NEXT_SYNC_S}  # fmt: skip


@sync_bp.post("/enrol")
def enrol() -> tuple[dict[str, Any], int]:
    body, now = json_body(), now_utc()
    code, install = _text(body, "code", 40), _text(body, "install_id", 80)
    with transaction() as session:
        device, token, user = tokens.redeem(session, code, install, str(body.get("app", ""))[:80], now)
        replica = pushes.register(
            session, actor_of(user, device_id=device), install, device, _replica_id(), now
        )
        answer = {"device": device, "token": token, "user": {"id": user.id, "name": user.name}, "replica": replica.id,
                  "epoch": meta(session, SYSTEM).epoch, "next_seq": 1, "head": replica.head}  # fmt: skip
    return answer, 201


@sync_bp.post("/replicas")
def replicas() -> tuple[dict[str, Any], int]:
    actor, body, now = device_actor(), json_body(), now_utc()
    with transaction() as session:
        replica = pushes.register(
            session, actor, _text(body, "install_id", 80), _text(body, "nonce", 80), _replica_id(), now
        )
        return {
            "replica": replica.id,
            "epoch": meta(session, actor).epoch,
            "next_seq": replica.next_seq,
            "head": replica.head,
        }, 201


@sync_bp.post("/push")
def push() -> dict[str, Any]:
    actor, now = device_actor(), now_utc()
    require(actor, "sync")
    raw = read_body()
    try:
        answer = pushes.receive(_parsed(raw), actor, now, current_app.extensions["config"])
    except Problem as problem:
        if problem.code == "bad_frame":
            _quarantine(actor.device_id, raw, problem.detail)
        raise
    return {**answer, "time": _times(now), "next_sync_after": NEXT_SYNC_S}


@sync_bp.post("/pull")
def pull() -> dict[str, Any]:
    actor, now, body = device_actor(), now_utc(), json_body()
    require(actor, "sync")
    with snapshot() as session:
        answer = pulls.page(
            session, pulls.read(body), actor, current_app.extensions["config"].secret_key.encode()
        )
    return {**answer, "time": _times(now), "next_sync_after": NEXT_SYNC_S}


@sync_bp.post("/ops/status")
def ops_status() -> dict[str, Any]:
    actor, ids = device_actor(), json_body().get("op_ids")
    if not isinstance(ids, list) or len(ids) > 500:
        raise Problem("invalid", "op_ids is a list of at most 500 ids")
    with snapshot() as session:
        return {
            "epoch": meta(session, actor).epoch,
            "ops": [pulls.ack(op) for op in queries.statuses(session, actor, [str(i) for i in ids])],
        }


@sync_bp.get("/attention")
def attention() -> dict[str, Any]:
    actor = device_actor()
    with snapshot() as session:
        return {
            "epoch": meta(session, actor).epoch,
            "ops": [pulls.ack(op) for op in queries.attention(session, actor)],
        }


def read_body() -> bytes:
    """The request's body, whole and inflated within limits. Raises Problem bad_frame, too_large, bad_encoding."""
    config = current_app.extensions["config"]
    if (request.content_length or 0) > config.max_request_bytes:
        raise Problem("too_large", extra={"limits": {"max_request_bytes": config.max_request_bytes}})
    try:
        raw = request.stream.read(config.max_request_bytes + 1)
    except (OSError, ClientDisconnected) as cut:
        raise Problem("bad_frame", "the line was cut", extra=CUT) from cut
    if len(raw) > config.max_request_bytes:
        raise Problem("too_large", extra={"limits": {"max_request_bytes": config.max_request_bytes}})
    if request.content_length is not None and len(raw) < request.content_length:
        _quarantine(None, raw, "cut short")
        raise Problem("bad_frame", f"{len(raw)} of {request.content_length} bytes arrived", extra=CUT)
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding not in ("gzip", "identity"):
        raise Problem("bad_encoding", f"Content-Encoding {encoding} is not spoken here; gzip is")
    return _inflated(raw, config.max_inflated_bytes) if encoding == "gzip" else raw


def _inflated(raw: bytes, limit: int) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        data = stream.decompress(raw, limit + 1)
    except zlib.error as fault:
        raise Problem("bad_frame", "the body is not gzip") from fault
    if len(data) > limit:
        raise Problem("too_large", "too large when inflated", extra={"limits": {"max_inflated_bytes": limit}})
    if not stream.eof:
        raise Problem("bad_frame", "the gzip stream is cut short")
    return data


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        raise Problem("bad_frame", f"not JSON: {fault}") from fault
    if not isinstance(body, dict):
        raise Problem("bad_frame", "the body is an object")
    return body


def json_body() -> dict[str, Any]:
    """The request's JSON object, inflated within limits. Raises Problem bad_frame, too_large, bad_encoding."""
    return _parsed(read_body())


def _text(body: dict[str, Any], name: str, longest: int) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise Problem(
            "invalid",
            errors=[
                {"pointer": f"/{name}", "code": "invalid", "detail": f"text of 1 to {longest} characters"}
            ],
        )
    return value


def _quarantine(device_id: str | None, raw: bytes, reason: str) -> None:
    with transaction() as session:
        session.add(UnreadablePush(device_id=device_id, received_at=now_utc(), reason=reason[:200], body=raw))


def _times(t1: Any) -> dict[str, int]:
    return {"t1": round(t1.timestamp() * 1000), "t2": round(now_utc().timestamp() * 1000)}


def _replica_id() -> str:
    return f"r-{secrets.token_hex(8)}"
