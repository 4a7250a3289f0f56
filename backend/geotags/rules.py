"""Which position counts: the site's record, the device's fix, the photo's EXIF. Pure; no database, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.geometry import Crs, distance_m, to_wgs84

MAX_ACCURACY_M = 2_000.0  # a coarser fix (cell tower) says nothing about a district, let alone a gate
SITE_FAR_M = 500.0  # a fix further from its site than this is flagged for the evidence checks


@dataclass(frozen=True, slots=True)
class Position:
    """A usable position: WGS-84, with what was given."""

    lon: float
    lat: float
    accuracy_m: float
    source: str
    crs_given: str
    given_lon: float
    given_lat: float


def read(fix: Mapping[str, Any] | None, source: str) -> Position | str:
    """A usable position, or the reason why this one is none: no_position, null_island, out_of_range, too_coarse."""
    if not fix or fix.get("lon") is None or fix.get("lat") is None:
        return "no_position"
    lon, lat = float(fix["lon"]), float(fix["lat"])
    if abs(lon) < 1e-6 and abs(lat) < 1e-6:
        return "null_island"
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        return "out_of_range"
    accuracy_m = float(fix.get("accuracy_m") or 0.0)
    if accuracy_m > MAX_ACCURACY_M:
        return "too_coarse"
    crs = str(fix.get("crs") or "wgs84")
    west, south = to_wgs84(lon, lat, Crs(crs))
    return Position(float(west), float(south), accuracy_m, source, crs, lon, lat)


def choose(*offers: Position | str) -> tuple[Position | None, list[dict[str, Any]]]:
    """The first usable position in order of trust, and a reason for each offer that was looked at."""
    reasons: list[dict[str, Any]] = []
    for offer in offers:
        if isinstance(offer, Position):
            reasons.append({"step": "position", "source": offer.source, "crs": offer.crs_given, "used": True})
            return offer, reasons
        reasons.append({"step": "position", "refused": offer})
    return None, reasons


def against_site(position: Position, site_lon: float, site_lat: float) -> dict[str, Any]:
    """How far the fix lies from the site's recorded point, in metres, as a reason."""
    away_m = round(float(distance_m(position.lon, position.lat, site_lon, site_lat)), 1)
    return {"step": "site_distance", "metres": away_m, "far": away_m > SITE_FAR_M + position.accuracy_m}
