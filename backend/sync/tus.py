"""What every tus 1.0.0 door reads from a request's head: the version, what is announced, where it goes on. No bytes."""

import base64
import binascii
from typing import Any

from flask import request

from backend.errors import Problem
from backend.shapes import is_sha256

TUS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}


def require_version() -> None:
    """Raises Problem tus_version where the request does not name the version that is spoken here."""
    version = request.headers.get("Tus-Resumable")
    if version != "1.0.0":
        extra = {"headers": {"Tus-Version": "1.0.0"}}
        raise Problem("tus_version", f"Tus-Resumable is {version!r}, this server speaks 1.0.0", extra=extra)


def named(most_bytes: int) -> dict[str, Any]:
    """{sha256, size, mime} that a creation announces. Raises Problem invalid, too_large."""
    size = whole_number("Upload-Length")
    pairs = [pair.strip() for pair in request.headers.get("Upload-Metadata", "").split(",")]
    given = dict(pair.partition(" ")[::2] for pair in pairs if pair)
    try:
        read = {k: base64.b64decode(v, validate=True).decode() for k, v in given.items() if k in ("sha256", "mime")}
    except (binascii.Error, UnicodeDecodeError) as fault:
        raise Problem("invalid", "Upload-Metadata is not base64 of UTF-8") from fault
    sha = read.get("sha256", "").lower()
    if not is_sha256(sha):
        raise Problem("invalid", "Upload-Metadata needs sha256: 64 hexadecimal digits")
    if size > most_bytes:
        raise Problem("too_large", f"at most {most_bytes} bytes")
    return {"sha256": sha, "size": size, "mime": read.get("mime", "")[:40] or None}


def whole_number(header: str) -> int:
    """A header that is a number of bytes. Raises Problem invalid."""
    text = request.headers.get(header, "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Problem("invalid", f"{header} is a non-negative integer")
    return int(text)
