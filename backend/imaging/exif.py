"""What a photo's EXIF claims of place and time, with a flag for each doubt. Never a judgement, never a clock.

Whatever a camera or a person wrote in there, reading it never raises: what cannot be used is left out and
flagged.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from backend.imaging.pictures import no_remarks, open_photo
from backend.workdays import CITY_TIME

CLOCKS_DIFFER_S = 3_600.0  # a phone's GPS stamp is that of its last fix and may be minutes old
FIRST_PHONE_YEAR = 2000  # a camera clock that shows an earlier year was never set
_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")
# Time and its offset, in order of trust: original, digitised, file (EXIF 2.32, 4.6.5).
_TIMES = ((0x9003, 0x9011), (0x9004, 0x9012), (0x0132, 0x9010))
# CGCS2000 is WGS-84 for any phone. Other names (Tokyo …) are no system that this project converts.
_DATUMS = {"GCJ": "gcj02", "BD": "bd09", "WGS": "wgs84", "CGCS2000": "wgs84"}


@dataclass(frozen=True, slots=True)
class Exif:
    """What the camera claims. `lon`, `lat` are degrees as written, in `datum` (None: not said; nothing then
    tells GCJ-02 from WGS-84); a position that cannot be one is left out.

    `taken_at` and `gps_at` are aware UTC; without an offset (`is_offset_known` false) the camera is taken to
    stand in China. `taken_local` is the camera's own clock as ISO text, also where its date was never set.
    `flags`: unreadable · no_position null_island out_of_range bad_rational missing_refs (north and east are
    then assumed) datum_unknown datum_other · date_unset date_garbage offset_unknown gps_clock_differs.
    """

    lon: float | None = None
    lat: float | None = None
    position_error_m: float | None = None
    datum: str | None = None
    altitude_m: float | None = None
    direction_deg: float | None = None
    taken_at: datetime | None = None
    taken_local: str | None = None
    is_offset_known: bool = False
    gps_at: datetime | None = None
    flags: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON form: times as ISO text in UTC, flags as a list."""
        times = {name: at.isoformat() for name in ("taken_at", "gps_at") if (at := getattr(self, name))}
        return {**asdict(self), **times, "flags": list(self.flags)}


def read_exif(path: Path) -> Exif:
    """EXIF position and times of a photo. Raises OSError where there is no file, and nothing else."""
    with path.open("rb"):  # a missing file is the caller's fault, not the camera's
        flags: list[str] = []
    try:
        with no_remarks(), open_photo(path) as image:
            raw = image.getexif()
            inner, gps, outer = dict(raw.get_ifd(0x8769)), dict(raw.get_ifd(0x8825)), dict(raw)
    except Exception:  # a parser of hostile bytes may fail in any way; the photo stays, its EXIF does not count
        return Exif(flags=("unreadable",))
    place, time = _place(gps, flags), _time({**outer, **inner}, flags)
    taken_at, gps_at = time["taken_at"], _gps_time(gps)
    if taken_at and gps_at and abs((taken_at - gps_at).total_seconds()) > CLOCKS_DIFFER_S:
        flags.append("gps_clock_differs")
    return Exif(**place, **time, gps_at=gps_at, flags=tuple(dict.fromkeys(flags)))


def _number(value: Any, low: float = -math.inf, high: float = math.inf) -> float | None:
    """A finite number within the bounds, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) and low <= number <= high else None


def _text(value: Any) -> str:
    """At most 64 characters of a tag, without the padding; bytes as far as they are ASCII."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return str("" if value is None else value)[:64].strip("\x00 \t")


def _place(gps: Mapping[int, Any], flags: list[str]) -> dict[str, Any]:
    lat = _degrees(gps.get(2), _text(gps.get(1)), "NS", flags)
    lon = _degrees(gps.get(4), _text(gps.get(3)), "EW", flags)
    depth = -1.0 if gps.get(5) in (1, b"\x01") else 1.0
    altitude_m = _number(gps.get(6), -12_000, 100_000)
    found: dict[str, Any] = {
        "position_error_m": _number(gps.get(31), 1e-6),
        "datum": _datum(_text(gps.get(18)).upper(), flags),
        "altitude_m": None if altitude_m is None else altitude_m * depth,
        "direction_deg": _number(gps.get(17), 0, 360),
    }
    if lat is None or lon is None:
        flags.append("no_position")
    elif abs(lat) > 90 or abs(lon) > 180:
        flags.append("out_of_range")
    elif abs(lat) < 1e-6 and abs(lon) < 1e-6:
        flags.append("null_island")
    else:
        found |= {"lon": lon, "lat": lat}
    if found.get("lon") is None:  # doubts about what is not used help nobody
        flags[:] = [flag for flag in flags if not flag.startswith("datum_")]
    return found


def _degrees(parts: Any, ref: str, refs: str, flags: list[str]) -> float | None:
    """Degrees, minutes, seconds → degrees; negative for the second letter of `refs`."""
    if not isinstance(parts, tuple) or len(parts) != 3:
        return None
    numbers = [_number(part) for part in parts]
    degrees, minutes, seconds = (0.0 if number is None else number for number in numbers)
    if None in numbers:
        flags.append("bad_rational")
        return None
    if degrees < 0 or not 0 <= minutes <= 60 or not 0 <= seconds <= 60:
        flags.append("out_of_range")
        return None
    letter = ref.upper()[:1]
    if not letter or letter not in refs:
        flags.append("missing_refs")
    size = degrees + minutes / 60 + seconds / 3600
    return -size if letter == refs[1] else size


def _datum(named: str, flags: list[str]) -> str | None:
    datum = next((crs for word, crs in _DATUMS.items() if named.startswith(word)), None)
    if datum is None:
        flags.append("datum_other" if named else "datum_unknown")
    return datum


def _time(tags: Mapping[int, Any], flags: list[str]) -> dict[str, Any]:
    """The first of the three times that is written at all, with the offset beside it."""
    found: dict[str, Any] = {"taken_at": None, "taken_local": None, "is_offset_known": False}
    written = [(words, offset) for time, offset in _TIMES if (words := _text(tags.get(time))).strip(":- ")]
    if not written:
        flags.append("date_unset")
        return found
    words, offset_tag = written[0]
    try:
        local = datetime.strptime(words[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        flags.append("date_garbage")
        return found
    found["taken_local"] = local.isoformat()
    offset = _offset(_text(tags.get(offset_tag)) or _text(tags.get(0x9010)))
    found["is_offset_known"] = offset is not None
    if offset is None:
        flags.append("offset_unknown")
    if local.year < FIRST_PHONE_YEAR:
        flags.append("date_unset")
        return found
    found["taken_at"] = _utc(local, offset, flags)
    return found


def _utc(local: datetime, offset: timezone | None, flags: list[str]) -> datetime | None:
    try:
        return local.replace(tzinfo=offset or CITY_TIME).astimezone(UTC)
    except OverflowError:  # the last hours of the year 9999
        flags.append("date_garbage")
        return None


def _offset(text: str) -> timezone | None:
    found = _OFFSET.fullmatch(text)
    if not found or int(found[2]) > 14 or int(found[3]) > 59:
        return None
    size = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-size if found[1] == "-" else size)


def _gps_time(gps: Mapping[int, Any]) -> datetime | None:
    """The satellites' UTC (GPSDateStamp, GPSTimeStamp), where both are written as they should be."""
    clock = gps.get(7)
    if not isinstance(clock, tuple) or len(clock) != 3:
        return None
    hours, minutes, seconds = (_number(part, 0, 60) for part in clock)
    if hours is None or minutes is None or seconds is None:
        return None
    try:
        day = datetime.strptime(_text(gps.get(29)), "%Y:%m:%d").replace(tzinfo=UTC)
        return day + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except (ValueError, OverflowError):
        return None
