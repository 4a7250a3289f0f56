"""The cursor: a position per bucket, opaque to devices, signed so that it cannot be made up (rule P14). Pure."""

import base64
import hashlib
import hmac
import json
from typing import Any

MAX_SUB = 1 << 30


class BadCursor(ValueError):
    """Not a cursor of this server: the device starts from nothing (cursor_invalid)."""


def encode(epoch: str, since: dict[str, tuple[int, int]], schema: int, key: bytes) -> str:
    """Positions `{bucket: (clock, sub)}` of one epoch → text."""
    body = {"v": 1, "e": epoch, "s": {b: list(p) for b, p in since.items()}, "sc": schema}
    raw = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(raw + hmac.digest(key, raw, hashlib.sha256)[:16]).rstrip(b"=").decode()


def decode(text: str, key: bytes) -> tuple[str, dict[str, tuple[int, int]]]:
    """Text → (epoch, positions). Raises BadCursor."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        body: dict[str, Any] = json.loads(raw[:-16])
    except (ValueError, TypeError) as fault:
        raise BadCursor("not a cursor") from fault
    if not hmac.compare_digest(hmac.digest(key, raw[:-16], hashlib.sha256)[:16], raw[-16:]):
        raise BadCursor("signature does not match")
    return body["e"], {b: (p[0], p[1]) for b, p in body["s"].items()}
