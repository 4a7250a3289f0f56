"""Bundles: what is in one bucket at one moment, packed once for all who begin there (PROTOCOL.md P45–P47).

A cache in the data directory and nothing else: every file can be made again, and none is trusted before its hash is
seen to be right. A bundle is named by the signed cursor at which it stands, so a name cannot be made up, says itself
which bucket, history and schema it is of, and never means other bytes. Nothing here decides who may read.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog

from backend import __version__
from backend.sync import packing
from sync_protocol.bundle import Bundle, write
from sync_protocol.cursor import MAX_SUB, BadCursor, decode, encode

log = structlog.get_logger(__name__)
SHARED = ("global", "district:", "township:")  # what many devices begin with; a team's own rows come in pages
MIN_MEMBERS, MAX_MEMBERS = 20, 50_000
MAX_CHANGED = 0.05  # of the members: beyond, the pages after the bundle cost more than a new one
KEPT = 2  # the newest, and the one that some device may be in the middle of


@dataclass(frozen=True, slots=True)
class Name:
    """Which bundle: history, bucket, the clock at which it stands, schema."""

    epoch: str
    bucket: str
    clock: int
    schema: int

    def id(self, key: bytes) -> str:
        """The name as devices say it."""
        return encode(self.epoch, {self.bucket: (self.clock, MAX_SUB)}, self.schema, key)


@dataclass(frozen=True, slots=True)
class Made:
    """One bundle on disk: how many rows, hash of the plain lines, `codings` {coding: [bytes, sha256 of these bytes]},
    and whether it is packed as small as it goes already."""

    name: Name
    count: int
    sha256: str
    codings: Mapping[str, Sequence[Any]]
    is_pressed: bool


def named(text: str, key: bytes) -> Name | None:
    """The bundle that a device names, or None where nobody here ever named one so."""
    try:
        found = decode(text, key)
    except BadCursor:
        return None
    if len(found.since) != 1:
        return None
    ((bucket, (clock, sub)),) = found.since.items()
    return Name(found.epoch, bucket, clock, found.schema) if sub == MAX_SUB else None


def is_shared(bucket: str) -> bool:
    """Whether bundles of this bucket are worth their making."""
    return bucket.startswith(SHARED)


class BundleStore:
    """The folder of bundles of one server. Safe between threads and processes: a file's name tells its content, so
    nothing is written over; what makes files a bundle is written last and at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self, epoch: str, bucket: str, schema: int) -> Made | None:
        """The newest whole bundle of a bucket, or None."""
        return next(
            (made for path in self._manifests(self._place(epoch, bucket), schema) if (made := _load(path))), None
        )

    def find(self, name: Name) -> Made | None:
        """The bundle of this name where it is still here, or None."""
        return _load(self._manifest(name))

    def read(self, name: Name, coding: str) -> tuple[bytes, str] | None:
        """Bytes and hash of a bundle in one coding ("identity" is there too), or None where there is no such bundle:
        also where its bytes are not what they were; then it is none any more."""
        for _ in range(2):  # it may be pressed in this very moment, and then has other files
            made = self.find(name)
            if made is None:
                return None
            sha256 = made.codings[coding][1]
            try:
                data = _file(self._manifest(name), sha256).read_bytes()
            except FileNotFoundError:
                continue
            if hashlib.sha256(data).hexdigest() == sha256:
                return data, sha256
            log.warning("bundle_spoilt", bucket=name.bucket, coding=coding)
            _remove(self._manifest(name))
        return None

    @contextmanager
    def turn(self, epoch: str, bucket: str) -> Iterator[bool]:
        """Whether it is ours to make a bundle of this bucket now; False while another thread or process does."""
        place = self._place(epoch, bucket)
        place.mkdir(parents=True, exist_ok=True)
        with open(place / "lock", "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def make(self, bundle: Bundle) -> Made:
        """Write a bundle in every coding while a device waits; older ones go. Raises OSError (a full disk)."""
        name = Name(bundle.epoch, bundle.bucket, bundle.clock, bundle.schema)
        made = self._write(name, len(bundle.rows), write(bundle), is_pressed=False)
        self._sweep(name)
        return made

    def press(self, most: int = 20) -> int:
        """Pack bundles as small as they go, at most so many; returns how many. For whoever has time."""
        done = 0
        for path in sorted(self._folder.glob("*/*/*.json")):
            made = _load(path)
            if made is None or made.is_pressed or done >= most:
                continue
            with self.turn(made.name.epoch, made.name.bucket) as is_ours:
                plain = self.read(made.name, "identity") if is_ours and path.exists() else None
                if plain is not None:
                    self._write(made.name, made.count, plain[0], is_pressed=True)
                    done += 1
        return done

    def _write(self, name: Name, count: int, plain: bytes, is_pressed: bool) -> Made:
        manifest = self._manifest(name)
        manifest.parent.mkdir(parents=True, exist_ok=True)
        codings: dict[str, list[Any]] = {}
        for coding, data in {**packing.prepared(plain, not is_pressed), "identity": plain}.items():
            codings[coding] = [len(data), hashlib.sha256(data).hexdigest()]
            _put(_file(manifest, codings[coding][1]), data)
        made = Made(name, count, codings["identity"][1], codings, is_pressed)
        _put(manifest, orjson.dumps(asdict(made)))
        wanted = {manifest, *(_file(manifest, sha256) for _, sha256 in codings.values())}
        for path in manifest.parent.glob(f"{manifest.stem}.*"):
            if path not in wanted:
                path.unlink(missing_ok=True)
        return made

    def _sweep(self, name: Name) -> None:
        for path in list(self._manifests(self._place(name.epoch, name.bucket), name.schema))[KEPT:]:
            _remove(path)
        for other in self._folder.iterdir():
            if other.name != _history(name.epoch):
                shutil.rmtree(other, ignore_errors=True)

    def _manifests(self, place: Path, schema: int) -> Iterator[Path]:
        """Newest first."""
        yield from sorted(place.glob(f"{schema}-*.json"), key=lambda path: path.name, reverse=True)

    def _manifest(self, name: Name) -> Path:
        return self._place(name.epoch, name.bucket) / f"{name.schema}-{name.clock:020d}.json"

    def _place(self, epoch: str, bucket: str) -> Path:
        return self._folder / _history(epoch) / _safe(bucket)


def _load(manifest: Path) -> Made | None:
    """What a manifest tells of, if all its files are there in whole; else None. A file that is lost may be one that
    was pressed meanwhile, so only what cannot be read is thrown away."""
    try:
        told = orjson.loads(manifest.read_bytes())
        made = Made(Name(**told.pop("name")), **told)
        if all(_file(manifest, sha256).stat().st_size == size for size, sha256 in made.codings.values()):
            return made
    except FileNotFoundError:
        return None
    except (orjson.JSONDecodeError, TypeError, KeyError, ValueError) as fault:
        log.warning("bundle_unreadable", file=manifest.name, error=repr(fault))
    _remove(manifest)
    return None


def _file(manifest: Path, sha256: str) -> Path:
    return manifest.with_suffix(f".{sha256[:32]}")


def offered(made: Made, key: bytes) -> dict[str, Any]:
    """How a page names a bundle."""
    packed = {coding: size for coding, (size, _) in made.codings.items() if coding != "identity"}
    return {
        "bucket": made.name.bucket, "id": made.name.id(key), "seq": [made.name.clock, MAX_SUB], "count": made.count,
        "sha256": made.sha256, "bytes": packed,
    }  # fmt: skip


def fitting(
    store: BundleStore,
    name: Name,
    horizon: int,
    changed_since: Callable[[int], int],
    members: Callable[[], Bundle | None],
) -> Made | None:
    """The bundle that a device which begins in this bucket shall take, made now if there is none that is fresh.

    `changed_since(clock)` counts changed rows, `members()` reads all of the bucket (None where it is too small or
    too large); None where there is none to give: then it comes in pages.
    """

    def fresh() -> Made | None:
        made = store.newest(name.epoch, name.bucket, name.schema)
        if made is None or made.name.clock > name.clock or made.name.clock + 1 < horizon:
            return None
        return made if changed_since(made.name.clock) <= made.count * MAX_CHANGED else None

    if made := fresh():
        return made
    try:
        with store.turn(name.epoch, name.bucket) as is_ours:
            if not is_ours:
                return None
            made = fresh()  # whoever had the turn before may have made it
            bundle = members() if made is None else None
            return made if bundle is None else store.make(bundle)
    except OSError as fault:
        log.warning("bundle_not_made", bucket=name.bucket, error=str(fault))
        return None


def _history(epoch: str) -> str:
    """Folder of one history under one release: another release may tell of the same rows otherwise."""
    return _safe(f"{__version__} {epoch}")


def _safe(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _put(path: Path, data: bytes) -> None:
    """The whole file or none. What a loss of power makes of it is seen by its hash, so no disk is waited for."""
    part = path.with_name(f"{path.name}.{os.urandom(6).hex()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _remove(manifest: Path) -> None:
    """First what makes it a bundle, then its bytes."""
    manifest.unlink(missing_ok=True)
    for path in manifest.parent.glob(f"{manifest.stem}.*"):
        path.unlink(missing_ok=True)
