"""Reading ops off the wire: the frame strictly, the body tolerantly (whatever is in it goes into custody, rule P6). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from sync_protocol.identity import fingerprint


class BadFrame(ValueError):
    """The push itself cannot be read: nothing of it is in custody (P5)."""


@dataclass(slots=True)
class Framed:
    """One op as it stood on the wire. `fault` says why its body is not readable; it is kept all the same."""

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
    fault: str | None = None


def frame(raw: Any) -> Framed:
    """One element of `ops`: seq, prev, body (P1). Raises BadFrame."""
    if not isinstance(raw, dict) or set(raw) != {"seq", "prev", "body"}:
        raise BadFrame("an op has exactly seq, prev and body")
    seq, prev, body = raw["seq"], raw["prev"], raw["body"]
    if not isinstance(seq, int) or isinstance(seq, bool) or seq < 1 or not isinstance(body, str):
        raise BadFrame("seq is a positive integer and body a string")
    if not isinstance(prev, str) or len(prev) != 64 or not set(prev) <= set("0123456789abcdef"):
        raise BadFrame("prev is 64 hexadecimal digits")
    try:
        fp = fingerprint(body)
    except UnicodeEncodeError as fault:
        raise BadFrame("body is not valid Unicode") from fault
    return _read_body(Framed(seq, prev, body, fp, f"fp:{fp[:32]}"))


def _read_body(op: Framed) -> Framed:
    try:
        body = orjson.loads(op.body)
    except orjson.JSONDecodeError as fault:
        op.fault = f"body is not JSON: {fault}"
        return op
    if (
        not isinstance(body, dict)
        or not isinstance(body.get("op"), str)
        or not isinstance(body.get("verb"), str)
    ):
        op.fault = "body lacks op or verb"
        return op
    if not 8 <= len(body["op"]) <= 64 or body["op"].startswith("fp:"):
        op.fault = "op is not an id of 8 to 64 characters"
        return op
    op.id, op.verb = body["op"], body["verb"]
    op.fault = _members(op, body)
    return op


_KINDS: Mapping[str, tuple[type, ...]] = {
    "v": (int,), "actor": (str,), "base": (dict, type(None)), "args": (dict,), "blobs": (list,), "at": (dict,),
}  # fmt: skip


def _members(op: Framed, body: Mapping[str, Any]) -> str | None:
    for name, kinds in _KINDS.items():
        if name in body:
            if not isinstance(body[name], kinds):
                return f"{name} has the wrong type"
            setattr(op, name, body[name])
    ent = body.get("ent") or {}
    if not isinstance(ent, dict) or not all(isinstance(ent.get(k, ""), str) for k in ("t", "id")):
        return "ent has the wrong type"
    op.ent = (ent.get("t", ""), ent.get("id", ""))
    if len(op.ent[1]) > 100 or len(op.ent[0]) > 40 or not all(isinstance(b, dict) for b in op.blobs):
        return "ent or blobs are out of bounds"
    return None


def frames(raw: Any) -> list[Framed]:
    """All ops of a push, in order. Raises BadFrame."""
    if not isinstance(raw, list):
        raise BadFrame("ops is a list")
    return [frame(element) for element in raw]
