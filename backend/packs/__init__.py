"""Data that ships with the server: programme packs, the limits of the clocks and the first city. No code but the way to the files."""

from pathlib import Path

_HERE = Path(__file__).parent
SCHEMA = _HERE / "pack.schema.json"
LIMITS = _HERE / "limits.v1.yaml"


def shipped_city(name: str = "zibo") -> Path:
    """Folder of a city that ships with the server."""
    return _HERE / name


def shipped_packs() -> list[Path]:
    """Pack files that ship with the server, in order of name."""
    return sorted((_HERE / "programmes").glob("*.yaml"))
