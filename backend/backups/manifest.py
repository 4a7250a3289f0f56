"""What a backup says of itself: which moment of which history, its parts and their hashes. Data only, no
database."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.backups.snapshots import Moment
from backend.errors import Problem

FORMAT, VERSION = "huyuan-backup", 1
MANIFEST, DATABASE, LISTING, PHOTOS = "manifest.json", "database.sqlite", "photos.jsonl", "photos"
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup. `tables` are rows and sums (tables.py), `parts` the files but the photos, `photos` what of
    them is in."""

    id: str
    made_at: datetime
    program: str
    made_on: str
    schema: str
    moment: Moment
    tables: Mapping[str, Mapping[str, Any]]
    state_hash: str
    parts: tuple[Mapping[str, Any], ...]
    photos: Mapping[str, Any]

    def text(self) -> str:
        """As it is written: JSON, sealed with the SHA-256 of all but the seal."""
        facts = {"format": FORMAT, "v": VERSION, **asdict(self), "made_at": self.made_at.isoformat()}
        return json.dumps({**facts, "seal": _seal(facts)}, ensure_ascii=False, indent=1)

    def told(self) -> dict[str, Any]:
        """For people: without the tables."""
        facts = {
            "id": self.id,
            "made_at": self.made_at.isoformat(),
            "made_on": self.made_on,
            "schema": self.schema,
        }
        size = sum(part["bytes"] for part in self.parts)
        return {
            **facts,
            **asdict(self.moment),
            "state_hash": self.state_hash,
            "bytes": size,
            "photos": dict(self.photos),
        }


def read(text: str) -> Manifest:
    """The manifest in `text`. Raises Problem invalid where it is none, was altered, or is of a newer
    program."""
    try:
        facts: dict[str, Any] = json.loads(text)
        if facts["format"] != FORMAT or facts["v"] > VERSION:
            raise Problem("invalid", f"{facts['format']} v{facts['v']} is no backup this program can read")
        if facts.pop("seal") != _seal(facts):
            raise Problem("invalid", "the manifest was altered: its seal does not match")
        moment, parts = Moment(**facts["moment"]), tuple(facts["parts"])
        same = {k: facts[k] for k in ("id", "program", "made_on", "schema", "tables", "state_hash", "photos")}
        return Manifest(**same, made_at=datetime.fromisoformat(facts["made_at"]), moment=moment, parts=parts)
    except (ValueError, KeyError, TypeError) as fault:
        raise Problem("invalid", f"no manifest of a backup: {fault!r}") from fault


def _seal(facts: Mapping[str, Any]) -> str:
    plain = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def part_of(path: Path) -> dict[str, Any]:
    """Name, size and SHA-256 of a file, read in blocks."""
    with open(path, "rb") as file:
        return {
            "name": path.name,
            "bytes": path.stat().st_size,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }
