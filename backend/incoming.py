"""What came in: a body whole and inflated within limits, JSON of a shape, a query's parameters. Never what they mean.

Every refusal here is made before anything was done, so the same request may be mended and sent again.
"""

import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from backports import zstd
from flask import current_app, request
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import ClientDisconnected

from backend.database import from_ms
from backend.errors import Invalid, Problem, invalid
from sync_protocol.envelope import has_nul, is_too_deep

BLOCK_BYTES = 65_536
MAX_RATIO, MIN_INFLATED_BYTES = 200, 65_536  # ops shrink to a tenth; what shrinks more than this is no text
ZSTD_WINDOW_LOG = 23  # 8 MiB, as RFC 9659 has it
JSON = "application/json"
LAST_MS = 253_402_300_799_000  # the end of the year 9999
CUT = {"retryable": True}  # the line's fault, not the sender's: the same bytes again may arrive whole


@dataclass
class Unreadable(Problem):
    """bad_frame, with the bytes that came: whoever has promised to keep them (P5) keeps them."""

    raw: bytes = b""


def body() -> bytes:
    """The request's body, whole and inflated. Raises Unreadable (bad_frame); Problem too_large, bad_encoding."""
    config = current_app.extensions["config"]
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity" and encoding not in _INFLATERS:
        raise Problem("bad_encoding", f"Content-Encoding {encoding} is not spoken here; {', '.join(ENCODINGS)} are")
    raw = _arrived(config.max_request_bytes)
    if request.content_length is not None and len(raw) < request.content_length:
        raise Unreadable("bad_frame", f"{len(raw)} of {request.content_length} bytes arrived", extra=CUT, raw=raw)
    return raw if encoding == "identity" else _inflated(encoding, raw, config.max_inflated_bytes)


def _arrived(limit: int) -> bytes:
    """As many bytes as there are; a line that is cut ends them."""
    too_large = Problem("too_large", extra={"limits": {"max_request_bytes": limit}})
    if (request.content_length or 0) > limit:
        raise too_large
    raw = bytearray()
    try:
        while block := request.stream.read(BLOCK_BYTES):
            raw += block
            if len(raw) > limit:
                raise too_large
    except (OSError, ClientDisconnected) as cut:
        raise Unreadable("bad_frame", f"cut after {len(raw)} bytes", extra=CUT, raw=bytes(raw)) from cut
    return bytes(raw)


def _inflated(encoding: str, raw: bytes, limit: int) -> bytes:
    """`raw` without its coding, stopped at the limit or at a ratio that no text has: a bomb is cheap (S13)."""
    most = min(limit, MIN_INFLATED_BYTES + MAX_RATIO * len(raw))
    data, is_whole = _INFLATERS[encoding](raw, most + 1)
    if len(data) > most:
        raise Problem("too_large", "too large when inflated", extra={"limits": {"max_inflated_bytes": limit}})
    if not is_whole:
        raise Unreadable("bad_frame", f"the {encoding} stream is cut short", raw=raw)
    return data


def _gunzip(raw: bytes, most: int) -> tuple[bytes, bool]:
    stream = zlib.decompressobj(wbits=31)
    try:
        return stream.decompress(raw, most), stream.eof
    except zlib.error as fault:
        raise Unreadable("bad_frame", "the body is not gzip", raw=raw) from fault


def _unzstd(raw: bytes, most: int) -> tuple[bytes, bool]:
    stream = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG})
    try:
        return bytes(stream.decompress(raw, max_length=most)), stream.eof
    except zstd.ZstdError as fault:
        raise Unreadable("bad_frame", "the body is not zstd", raw=raw) from fault


_INFLATERS: Mapping[str, Callable[[bytes, int], tuple[bytes, bool]]] = {"gzip": _gunzip, "zstd": _unzstd}
ENCODINGS = tuple(_INFLATERS)  # what bodies may be packed with


def parsed(raw: bytes) -> dict[str, Any]:
    """Bytes as a JSON object (RFC 8259: UTF-8). Raises Unreadable."""
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        raise Unreadable("bad_frame", f"not JSON: {fault}", raw=raw) from fault
    if not isinstance(found, dict):
        raise Unreadable("bad_frame", "the body is an object", raw=raw)
    return found


def json_object() -> dict[str, Any]:
    """The request's JSON object; nothing in it that a database or a recursion cannot hold. Raises as `body`, `parsed`."""
    raw = body()
    found = parsed(raw)
    if is_too_deep(raw.decode(), found):
        raise Unreadable("bad_frame", "nested too deep", raw=raw)
    if b"\\u0000" in raw and has_nul(found):
        raise Unreadable("bad_frame", "a text holds NUL", raw=raw)
    return found


def loaded(schema: Schema) -> dict[str, Any]:
    """The request's JSON object as `schema` reads it. Raises Invalid with a pointer to each fault; as `json_object`."""
    try:
        found: dict[str, Any] = schema.load(json_object())
    except ValidationError as fault:
        raise invalid(fault.messages) from fault
    return found


def require_json() -> None:
    """Raises Problem bad_encoding where the body does not say that it is JSON: a form of another site cannot say so."""
    if request.mimetype != JSON:
        raise Problem("bad_encoding", f"send {JSON}")


def parameters(*names: str) -> Mapping[str, str]:
    """The query's parameters. Raises Problem bad_request for one that is not known or comes twice: it must not be ignored."""
    given = request.args.to_dict(flat=False)
    faults = [
        {"pointer": f"?{name}", "code": "unknown" if name not in names else "repeated", "detail": f"known are {', '.join(names) or 'none'}, once each"}
        for name, values in given.items()
        if name not in names or len(values) > 1
    ]  # fmt: skip
    if faults:
        raise Problem("bad_request", errors=faults)
    return {name: values[0] for name, values in given.items()}


def choose(*kinds: str) -> str:
    """Which of the media types that can be made is wanted most. Raises Problem not_acceptable where none is."""
    wanted = request.accept_mimetypes
    found = wanted.best_match(kinds) if wanted else kinds[0]
    if found is None:
        raise Problem("not_acceptable", f"this answers with {' or '.join(kinds)}")
    return str(found)


def limit(text: str | None, usual: int, most: int) -> int:
    """How many rows a page may have: `usual` where nothing is said. Raises Invalid for what is no number from 1 to `most`."""
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise Invalid(errors=[{"pointer": "?limit", "code": "invalid", "detail": f"1 to {most}"}])
    return int(text)


def one_of(name: str, text: str, choices: Collection[str]) -> str:
    """A parameter that is one of a few words. Raises Invalid."""
    if text not in choices:
        raise Invalid(errors=[{"pointer": f"?{name}", "code": "invalid", "detail": f"one of {', '.join(choices)}"}])
    return text


def position(text: str | None) -> tuple[int, str] | None:
    """Where the next page of a list begins, "number:name"; None: at the beginning. Raises Problem bad_cursor."""
    if not text:
        return None
    number, _, name = text.partition(":")
    if not (number.isascii() and number.isdigit() and len(number) <= 18 and name):
        raise Problem("bad_cursor")
    return int(number), name


def moment(text: str | None) -> tuple[datetime, str] | None:
    """The same where the number is a time in milliseconds since 1970 (UTC)."""
    found = position(text)
    if found is None:
        return None
    if found[0] > LAST_MS:
        raise Problem("bad_cursor")
    return from_ms(found[0]), found[1]
