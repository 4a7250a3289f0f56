"""The cursor: a position per bucket, opaque to devices, signed so that it cannot be made up (rule P14).
Pure."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

MAX_SUB = 1 << 30


class Cursor(NamedTuple):
    """Where a device stands: the history, a position (clock, sub) per bucket, the schema of what it holds."""

    epoch: str
    since: dict[str, tuple[int, int]]
    schema: int


class BadCursor(ValueError):
    """Not a cursor of this server: the device starts from nothing (cursor_invalid)."""


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _sign(raw: bytes, key: bytes) -> bytes:
    return hmac.digest(key, raw, hashlib.sha256)[:16]


def encode(epoch: str, since: Mapping[str, tuple[int, int]], schema: int, key: bytes) -> str:
    """Positions `{bucket: (clock, sub)}` of one epoch → text (compact sorted JSON ‖ 16 bytes of
    HMAC-SHA256)."""
    body = {"v": 1, "e": epoch, "s": {b: list(p) for b, p in since.items()}, "sc": schema}
    raw = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return _text(raw + _sign(raw, key))


def decode(text: str, key: bytes) -> Cursor:
    """Text → what was put into it. Raises BadCursor, also for a second spelling of the same bytes."""
    try:
        signed = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError as fault:
        raise BadCursor("not a cursor") from fault
    raw, signature = signed[:-16], signed[-16:]
    if _text(signed) != text or not hmac.compare_digest(_sign(raw, key), signature):
        raise BadCursor("signature does not match")
    body: dict[str, Any] = orjson.loads(raw)
    return Cursor(body["e"], {b: (p[0], p[1]) for b, p in body["s"].items()}, body["sc"])
