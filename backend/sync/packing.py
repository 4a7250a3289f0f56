"""Making answers small for thin lines: which coding an asker reads, and how hard to press. No request, no payloads."""

import gzip
import sys
from collections.abc import Callable, Iterable, Mapping

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIN_BYTES = 1024  # below this a coding saves nothing worth its header
LARGE_BYTES = 262_144  # above this an answer is pressed lightly: many ask at once, and CPU is what they share

_ANSWER: Mapping[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "zstd": (lambda data: zstd.compress(data, 9), lambda data: zstd.compress(data, 3)),
    "gzip": (lambda data: gzip.compress(data, 6, mtime=0), lambda data: gzip.compress(data, 1, mtime=0)),
}
"""By coding, best first: for an answer of usual size, for a large one. On an inspector's first page (75 kB of JSON)
zstd 9 takes 3 ms and gzip 6 4 ms; gzip 9 takes twice as long as 6 and saves half a per cent."""

PREPARED = ("br", "zstd", "gzip")
"""Codings of what is packed once and sent many times, best first."""


def prepared(data: bytes, is_waited_for: bool) -> dict[str, bytes]:
    """`data` in every coding. While somebody waits in 20 ms for a district's 60 kB; else as small as it goes, which
    takes ten times as long and gives a seventh."""
    br, zst, gz = (5, 9, 6) if is_waited_for else (11, 19, 9)
    return {
        "br": brotli.compress(data, quality=br, lgwin=22),
        "zstd": zstd.compress(data, zst),
        "gzip": gzip.compress(data, gz, mtime=0),
    }


def choose(codings: Iterable[str], quality: Callable[[str], float]) -> str:
    """The coding that the asker likes best (RFC 9110 §12.5.3), of equals the first; "identity" where it reads none."""
    best = max(codings, key=quality)
    return best if quality(best) > 0 else "identity"


def answer(data: bytes, quality: Callable[[str], float]) -> tuple[str, bytes]:
    """(coding, packed bytes) of an answer; ("identity", data) where packing saves nothing or is not read."""
    coding = choose(_ANSWER, quality) if len(data) > MIN_BYTES else "identity"
    if coding == "identity":
        return coding, data
    return coding, _ANSWER[coding][len(data) > LARGE_BYTES](data)
