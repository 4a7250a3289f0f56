"""Time tokens: the server's signed word that it was this time at least when what names the token was written
(rule P80). Pure.

Layout: be64(server ms) ‖ 8 bytes of nonce ‖ utf8(replica) ‖ the first 16 bytes of HMAC-SHA256 over all before it, as
base64url without padding. The replica is only named, for whoever audits: a device that registered anew keeps its tokens.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

MAC_BYTES, NONCE_BYTES, MS_BYTES = 16, 8, 8
MAX_TEXT = 160  # a replica's id has at most 64 characters
_PURPOSE = b"huyuan time token 1"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says: the server's time in ms since 1970 UTC, and for which replica it was made ("": for nobody)."""

    server_ms: int
    replica: str


def derived(secret: bytes) -> bytes:
    """The key for tokens, from the server's secret: a key serves one purpose."""
    return hmac.digest(secret, _PURPOSE, hashlib.sha256)


def issue(server_ms: int, nonce: bytes, replica: str, key: bytes) -> str:
    """A token. Raises ValueError where the nonce is not 8 bytes, OverflowError for a time outside 64 bits."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError("a nonce has 8 bytes")
    said = server_ms.to_bytes(MS_BYTES, "big") + nonce + replica.encode()
    return base64.urlsafe_b64encode(said + _mac(said, key)).rstrip(b"=").decode()


def read(text: object, keys: Iterable[bytes]) -> Token | None:
    """What `text` says if one of `keys` signed it, else None. One spelling only; nothing makes it raise."""
    if not isinstance(text, str) or not text.isascii() or len(text) > MAX_TEXT:
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    if len(raw) < MS_BYTES + NONCE_BYTES + MAC_BYTES:
        return None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        return None
    said, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    if not any(hmac.compare_digest(_mac(said, key), mac) for key in keys):
        return None
    server_ms = int.from_bytes(said[:MS_BYTES], "big")
    return Token(server_ms, said[MS_BYTES + NONCE_BYTES :].decode("utf-8", "replace"))


def _mac(said: bytes, key: bytes) -> bytes:
    return hmac.digest(key, said, hashlib.sha256)[:MAC_BYTES]
