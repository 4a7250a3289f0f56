"""Reading ops off the wire: the frame strictly, the body tolerantly (it goes into custody whatever it
is, P6). Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from sync_protocol.clock import Estimate
from sync_protocol.identity import fingerprint
from sync_protocol.limits import MAX_DEPS, MAX_DEPTH, MAX_SEQ, MAX_V

_is_digest = re.compile("[0-9a-f]{64}").fullmatch


class BadFrame(ValueError):
    """The push itself cannot be read: nothing of it is in custody (P5)."""


@dataclass(slots=True)
class Framed:
    """One op as it stood on the wire. `fault` says why its body is not readable; it is kept all the same.
    `recorded` is filled in by whoever received it (P82)."""

    seq: int
    prev: str
    body: str
    fp: str
    id: str
    verb: str = ""
    v: int = 1
    actor: str = ""
    ent: tuple[str, str] = ("", "")
    base: Mapping[str, Any] | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    blobs: Sequence[Mapping[str, Any]] = ()
    at: Mapping[str, Any] = field(default_factory=dict)
    deps: Sequence[str] = ()
    txn: str | None = None
    fault: str | None = None
    recorded: Estimate | None = None


def head(raw: Any) -> Framed:
    """One element of `ops`: seq, prev, body (P1), the body not read yet. Raises BadFrame."""
    if not isinstance(raw, dict) or set(raw) != {"seq", "prev", "body"}:
        raise BadFrame("an op has exactly seq, prev and body")
    seq, prev, body = raw["seq"], raw["prev"], raw["body"]
    if not isinstance(seq, int) or isinstance(seq, bool) or not 1 <= seq <= MAX_SEQ:
        raise BadFrame("seq is a positive integer below 2^53")
    if not isinstance(body, str) or "\0" in body:
        raise BadFrame("body is a string without NUL")
    if not isinstance(prev, str) or not _is_digest(prev):
        raise BadFrame("prev is 64 hexadecimal digits")
    try:
        fp = fingerprint(body)
    except UnicodeEncodeError as fault:
        raise BadFrame("body is not valid Unicode") from fault
    return Framed(seq, prev, body, fp, f"fp:{fp[:32]}")


def frame(raw: Any) -> Framed:
    """One element of `ops`, its body read. Raises BadFrame."""
    return read(head(raw))


def read(op: Framed) -> Framed:
    """The op with its body read; what cannot be read of it is its `fault` (P6)."""
    try:
        body = orjson.loads(op.body)
    except orjson.JSONDecodeError as fault:
        op.fault = f"body is not JSON: {fault}"
        return op
    if not isinstance(body, dict) or not isinstance(body.get("op"), str) or not isinstance(body.get("verb"), str):
        op.fault = "body lacks op or verb"
        return op
    if not 8 <= len(body["op"]) <= 64 or body["op"].startswith("fp:") or not _is_plain(body["op"]):
        op.fault = "op is not an id of 8 to 64 plain characters"
        return op
    op.id = body["op"]
    op.fault = _members(op, body)
    return op if op.fault is None else _named_only(op, body)


def _named_only(op: Framed, body: Mapping[str, Any]) -> Framed:
    """P6: an op that cannot be judged keeps its name, its author, its txn and its body; what does not fit
    reaches no column."""
    actor, txn = (value if _is_id(value) else None for value in (body.get("actor"), body.get("txn")))
    verb, fault = op.verb[:60], op.fault
    return Framed(op.seq, op.prev, op.body, op.fp, op.id, verb, actor=actor or "", txn=txn, fault=fault)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


_KINDS: Mapping[str, tuple[type, ...]] = {
    "verb": (str,),
    "v": (int,),
    "actor": (str,),
    "base": (dict, type(None)),
    "args": (dict,),
    "blobs": (list,),
    "deps": (list,),
    "txn": (str, type(None)),
}


def _members(op: Framed, body: Mapping[str, Any]) -> str | None:
    """Copy the members over; returns why the op cannot be judged, or None. Nothing that a database
    refuses passes."""
    if is_too_deep(op.body, body):
        return f"nested deeper than {MAX_DEPTH}"
    if "\\u0000" in op.body and has_nul(body):
        return "a text holds NUL"
    for name, kinds in _KINDS.items():
        if name in body:
            if not isinstance(body[name], kinds) or isinstance(body[name], bool):
                return f"{name} has the wrong type"
            setattr(op, name, body[name])
    at = body.get("at")
    op.at = at if isinstance(at, dict) else {}  # P83: evidence, not part of what is asked
    if not 1 <= op.v <= MAX_V or len(op.verb) > 60 or len(op.actor) > 64:
        return "v, verb or actor are out of bounds"
    ent = {} if body.get("ent") is None else body["ent"]
    if not isinstance(ent, dict) or not all(isinstance(ent.get(k, ""), str) for k in ("t", "id")):
        return "ent has the wrong type"
    op.ent = (ent.get("t", ""), ent.get("id", ""))
    if len(op.ent[1]) > 100 or len(op.ent[0]) > 40:
        return "ent is out of bounds"
    if op.blobs and not all(_is_blob(blob) for blob in op.blobs):
        return "a blob is not sha256, size and mime"
    after = op.base.get("after") if op.base else None
    names = (*op.deps, *([] if after is None else [after]), *([op.txn] if op.txn else []))
    if names and not all(_is_id(name) for name in names):
        return "deps, base.after or txn are no ids"
    if len(op.deps) > MAX_DEPS:
        return f"more than {MAX_DEPS} deps"
    return None


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 64


def _is_blob(blob: Any) -> bool:
    if not isinstance(blob, dict):
        return False
    sha256, size = blob.get("sha256"), blob.get("size")
    return (
        isinstance(sha256, str) and _is_digest(sha256) is not None
        and isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= MAX_SEQ
        and isinstance(blob.get("mime", ""), str)
    )  # fmt: skip


def is_too_deep(text: str, body: Mapping[str, Any]) -> bool:
    """P6: whatever walks the members later does so by recursion; nesting past its reach must end as an
    outcome, never as an exception. Level by level, so that it cannot itself run out of stack."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:  # the usual op, told without walking it
        return False
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        level = [
            inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]  # fmt: skip
    return bool(level)


def has_nul(value: Any) -> bool:
    """Whether a text anywhere in a JSON value holds NUL, which a database refuses."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(has_nul(k) or has_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(has_nul(v) for v in value)


def heads(raw: Any) -> list[Framed]:
    """All ops of a push, in order, their bodies not read yet. Raises BadFrame."""
    if not isinstance(raw, list):
        raise BadFrame("ops is a list")
    return [head(element) for element in raw]


def frames(raw: Any) -> list[Framed]:
    """All ops of a push, in order, their bodies read. Raises BadFrame."""
    return [read(op) for op in heads(raw)]
