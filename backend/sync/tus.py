"""What every tus 1.0.0 door reads from a request's head: the version, what is announced, where it goes on, what the bytes
must hash to; and what it says of an upload in an answer's head. No bytes."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import request
from werkzeug.http import http_date

from backend.errors import Problem
from backend.shapes import is_sha256

TUS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
BYTES = "application/offset+octet-stream"
ALGORITHMS: Mapping[str, Any] = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
EXTENSIONS = ("creation", "creation-with-upload", "checksum", "expiration", "termination")
OVERRIDDEN = frozenset({"PATCH", "DELETE", "HEAD"})


class Override:
    """tus 1.0.0, X-HTTP-Method-Override: a POST under `paths` that names another method is one, for lines whose middle boxes
    know only GET and POST. Nowhere else, and for no other method."""

    def __init__(self, application: Any, paths: Iterable[str]) -> None:
        self._application, self._paths = application, tuple(paths)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """WSGI."""
        named = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").upper()
        is_here = environ.get("PATH_INFO", "").startswith(self._paths)
        if named in OVERRIDDEN and is_here and environ["REQUEST_METHOD"] == "POST":
            environ["REQUEST_METHOD"] = named
        return self._application(environ, start_response)


@dataclass
class Checksum:
    """What the bytes of one request must hash to (tus: checksum); they count whole or not at all."""

    wanted: bytes
    seen: Any

    def is_so(self) -> bool:
        """Whether what was seen hashes to what was announced."""
        return hmac.compare_digest(self.seen.digest(), self.wanted)


def checksum() -> Checksum | None:
    """Upload-Checksum of the request. Raises Problem bad_checksum where it is none that is spoken here."""
    text = request.headers.get("Upload-Checksum")
    if text is None:
        return None
    name, _, coded = text.strip().partition(" ")
    if name not in ALGORITHMS:
        raise Problem("bad_checksum", f"Upload-Checksum is one of {', '.join(ALGORITHMS)}, a space and base64")
    seen = ALGORITHMS[name]()
    try:
        wanted = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise Problem("bad_checksum", "Upload-Checksum is not base64") from fault
    if len(wanted) != seen.digest_size:
        raise Problem("bad_checksum", f"{name} has {seen.digest_size} bytes, not {len(wanted)}")
    return Checksum(wanted, seen)


def expires(at: datetime) -> dict[str, str]:
    """Upload-Expires (tus: expiration; RFC 9110 date)."""
    return {"Upload-Expires": http_date(at)}


def metadata(facts: Mapping[str, str | None]) -> dict[str, str]:
    """Upload-Metadata of what was kept of it (tus: HEAD)."""
    pairs = [f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in facts.items() if value]
    return {"Upload-Metadata": ",".join(pairs)}


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
