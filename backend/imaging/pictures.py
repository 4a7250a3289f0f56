"""Pictures: what a file is, what its EXIF claims, upright derivatives without metadata. Pure functions over paths.

Hostile files are expected: pixels are counted before anything is decoded, and every failure has a code.
"""

import io
import math
import warnings
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pi_heif
from PIL import Image, ImageOps, PngImagePlugin

pi_heif.register_heif_opener()
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "MPO")
MAX_PIXELS = 100_000_000
CITY_TIME = ZoneInfo("Asia/Shanghai")
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
PngImagePlugin.MAX_TEXT_MEMORY = 4 * 1024 * 1024


class BadImage(Exception):
    """A file that is no usable photo. `code`: not_an_image, truncated, too_large, unsupported_type."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Probe:
    format: str
    width: int
    height: int
    frames: int


@dataclass(slots=True)
class Exif:
    """What the camera claims. Degrees as written (their reference system is `datum`), UTC where it can be known."""

    lon: float | None = None
    lat: float | None = None
    position_error_m: float | None = None
    datum: str | None = None
    direction_deg: float | None = None
    taken_at: str | None = None
    gps_at: str | None = None
    flags: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {**asdict(self), "flags": list(self.flags)}


@dataclass(frozen=True, slots=True)
class Derivative:
    width_class: int
    width: int
    height: int
    path: Path


def _open(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return Image.open(path, formats=None)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
            raise BadImage("too_large", str(bomb)) from bomb
        except ValueError as text:
            raise BadImage("too_large", str(text)) from text
        except (OSError, SyntaxError, EOFError, RuntimeError) as fault:
            raise BadImage("not_an_image", type(fault).__name__) from fault


def probe(path: Path) -> Probe:
    """Format and size of a whole, decodable photo. Raises BadImage with its code."""
    with _open(path) as image:
        if image.format not in FORMATS:
            raise BadImage("unsupported_type", str(image.format))
        if image.width * image.height > MAX_PIXELS:
            raise BadImage("too_large", f"{image.width}x{image.height}")
        found = Probe(str(image.format), image.width, image.height, getattr(image, "n_frames", 1))
        _decode(image)
        return found


def _decode(image: Image.Image) -> None:
    try:
        image.load()
    except (OSError, SyntaxError, EOFError, ValueError, RuntimeError, IndexError) as fault:
        raise BadImage("truncated", str(fault)[:200]) from fault


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _degrees(parts: Any, ref: Any, negative: str, flags: list[str]) -> float | None:
    if not isinstance(parts, tuple) or len(parts) != 3:
        return None
    numbers = [_number(part) for part in parts]
    if any(n is None for n in numbers):
        flags.append("bad_rational")
        return None
    degrees = sum((n or 0.0) / 60**power for power, n in enumerate(numbers))
    if not ref:
        flags.append("missing_refs")
    return -degrees if str(ref or "").strip("\x00 ").upper() == negative else degrees


def _local_time(text: Any, offset: Any, flags: list[str]) -> datetime | None:
    words = str(text or "").strip("\x00 ")
    if not words.strip(":- "):
        flags.append("date_unset")
        return None
    try:
        local = datetime.strptime(words[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        flags.append("date_garbage")
        return None
    try:
        sign, hours, minutes = str(offset)[0], int(str(offset)[1:3]), int(str(offset)[4:6])
        zone: Any = timezone((-1 if sign == "-" else 1) * timedelta(hours=hours, minutes=minutes))
    except (ValueError, IndexError):
        flags.append("offset_unknown")
        zone = CITY_TIME
    if local.year < 2000:
        flags.append("date_unset")
    return local.replace(tzinfo=zone).astimezone(UTC)


def _gps_time(gps: Any) -> datetime | None:
    day, clock = gps.get(29), gps.get(7)
    numbers = [_number(n) for n in clock] if isinstance(clock, tuple) and len(clock) == 3 else [None]
    try:
        start = datetime.strptime(str(day).strip("\x00 "), "%Y:%m:%d").replace(tzinfo=UTC)
        return start + timedelta(hours=numbers[0] or 0, minutes=numbers[1] or 0, seconds=numbers[2] or 0)
    except (ValueError, IndexError, OverflowError):
        return None


def read_exif(path: Path) -> Exif:
    """EXIF position and times of a photo; never raises on what a camera (or somebody) wrote, but flags it."""
    exif, flags = Exif(), []
    try:
        with _open(path) as image:
            raw = image.getexif()
            inner, gps = raw.get_ifd(0x8769), raw.get_ifd(0x8825)
    except (
        Exception
    ) as fault:  # any parser of hostile bytes may fail in any way: the photo stays, its EXIF does not count
        exif.flags = ("unreadable", type(fault).__name__)
        return exif
    _position(exif, gps, flags)
    taken = _local_time(inner.get(0x9003) or raw.get(0x0132), inner.get(0x9011), flags)
    at_gps = _gps_time(gps)
    exif.taken_at, exif.gps_at = (t.isoformat() if t else None for t in (taken, at_gps))
    if taken and at_gps and abs((taken - at_gps).total_seconds()) > 3600:
        flags.append("gps_clock_differs")
    exif.flags = tuple(dict.fromkeys(flags))
    return exif


def _position(exif: Exif, gps: Any, flags: list[str]) -> None:
    lat, lon = _degrees(gps.get(2), gps.get(1), "S", flags), _degrees(gps.get(4), gps.get(3), "W", flags)
    exif.position_error_m, exif.direction_deg = _number(gps.get(31)), _number(gps.get(17))
    named = str(gps.get(18) or "").upper()
    exif.datum = "gcj02" if "GCJ" in named else "wgs84" if "WGS" in named else None
    if lat is None or lon is None:
        flags.append("no_position")
    elif abs(lat) > 90 or abs(lon) > 180:
        flags.append("out_of_range")
    elif abs(lat) < 1e-6 and abs(lon) < 1e-6:
        flags.append("null_island")
    else:
        exif.lat, exif.lon = lat, lon
        if exif.datum is None:
            flags.append("datum_unknown")


def derivatives(path: Path, folder: Path, widths: tuple[int, ...] = (1280, 320)) -> list[Derivative]:
    """Upright JPEGs, longest side at most each of `widths`, without any metadata. Raises BadImage."""
    with _open(path) as image:
        image.draft("RGB", (max(widths), max(widths) * 3 // 4))
        _decode(image)
        upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I;16", "I", "F"):
        upright = upright.convert("I").point(lambda v: v / 257).convert("L")
    if upright.mode in ("RGBA", "LA", "P", "PA"):
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright.convert("RGBA"))
    picture = upright.convert("RGB")
    made = []
    for longest in sorted(widths, reverse=True):
        scale = min(1.0, longest / max(picture.size))
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = (
            picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
            if size != picture.size
            else picture
        )
        target = folder / f"{longest}.jpg"
        buffer = io.BytesIO()
        Image.frombytes("RGB", picture.size, picture.tobytes()).save(
            buffer, "JPEG", quality=82, optimize=False
        )
        target.write_bytes(buffer.getvalue())
        made.append(Derivative(longest, *picture.size, target))
    return made
