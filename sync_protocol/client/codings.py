"""Unpacking what a server packed: gzip always, zstd and brotli where this machine has them. Never past a limit."""

import sys
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType

GZIP_WINDOW = 31  # zlib's name for "gzip header and trailer"
ZSTD_WINDOW_LOG = 23  # 8 MiB: what RFC 9659 allows on the web
STEP_BYTES = 65_536


class Damaged(ValueError):
    """Cut, spoilt, or larger than any answer."""


def _here(*names: str) -> ModuleType | None:
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


_zstd = _here("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
_brotli = _here("brotli")


def _gzip(data: bytes, most: int) -> bytes:
    stream = zlib.decompressobj(GZIP_WINDOW)
    try:
        plain = stream.decompress(data, most)
    except zlib.error as fault:
        raise Damaged(str(fault)) from fault
    if not stream.eof:
        raise Damaged("cut, or larger than any answer")
    return plain


def _unzstd(data: bytes, most: int) -> bytes:
    assert _zstd is not None
    stream = _zstd.ZstdDecompressor(options={_zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG})
    try:
        plain = stream.decompress(data, max_length=most)
    except _zstd.ZstdError as fault:
        raise Damaged(str(fault)) from fault
    if not stream.eof:
        raise Damaged("cut, or larger than any answer")
    return bytes(plain)


def _unbrotli(data: bytes, most: int) -> bytes:
    assert _brotli is not None
    stream, plain = _brotli.Decompressor(), bytearray()
    try:
        plain += stream.process(data, output_buffer_limit=STEP_BYTES)
        while not stream.is_finished() and not stream.can_accept_more_data() and len(plain) <= most:
            plain += stream.process(b"", output_buffer_limit=STEP_BYTES)
    except _brotli.error as fault:
        raise Damaged(str(fault)) from fault
    if not stream.is_finished() or len(plain) > most:
        raise Damaged("cut, or larger than any answer")
    return bytes(plain)


_READ: Mapping[str, tuple[bool, Callable[[bytes, int], bytes]]] = {
    "br": (_brotli is not None, _unbrotli),
    "zstd": (_zstd is not None, _unzstd),
    "gzip": (True, _gzip),
    "identity": (True, lambda data, most: data[: most + 1]),
}
READABLE = tuple(name for name, (is_here, _) in _READ.items() if is_here and name != "identity")
"""What this installation reads, best first; what it sends as Accept-Encoding."""


def unpack(coding: str, data: bytes, most: int) -> bytes:
    """`data` without its coding, at most `most` bytes. Raises Damaged, also for a coding nobody asked for."""
    is_here, read = _READ.get(coding, (False, _gzip))
    if not is_here:
        raise Damaged(f"Content-Encoding {coding} was not asked for")
    plain = read(data, most)
    if len(plain) > most:
        raise Damaged("larger than any answer")
    return plain
