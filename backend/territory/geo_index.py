"""A point's district, township and nearest perimeter, with reasons. Reads facts; changes nothing."""

from typing import Any

from sqlalchemy.orm import Session

from backend.geometry import distance_m
from backend.territory.queries import facts

BORDER_ERROR_M = 100.0  # the districts' lines are generalised by about this much (median): nearer is near the boundary
NEAREST_SITE_M = 500.0  # a school this close lends its township to a point; no township boundaries exist openly


def locate_point(session: Session, lon: float, lat: float, accuracy_m: float = 0.0) -> dict[str, Any]:
    """Where a WGS-84 point lies: district_id, is_near_boundary, candidates, township_id and its source,
    nearest_school_id and nearest_school_m (metres to its perimeter, 0 inside), area_path, reasons."""
    known = facts(session)
    if known is None:
        nothing = ("district_id", "township_id", "township_source", "nearest_school_id", "nearest_school_m")
        why = [{"step": "city", "refused": "no city is loaded"}]
        return dict.fromkeys(nothing) | {
            "is_near_boundary": False, "candidates": [], "area_path": "-", "reasons": why,
        }  # fmt: skip
    found = known.districts.locate(lon, lat, accuracy_m + BORDER_ERROR_M)
    candidates = [area for area in found.near if area != found.area_id]
    nearest = known.perimeters.nearest(lon, lat)
    reasons: list[dict[str, Any]] = [{
        "step": "district", "by": "polygon", "district": found.area_id, "accuracy_m": accuracy_m,
        "margin_m": None if found.margin_m is None else round(found.margin_m, 1),
    }]  # fmt: skip
    township, source = _township(known, lon, lat, found.area_id, nearest)
    reasons.append({"step": "township", "township": township, "by": source})
    path = f"{known.city_id}/-" if not found.area_id else known.paths[township or found.area_id]
    return {
        "district_id": found.area_id, "reasons": reasons,
        "is_near_boundary": bool(candidates and found.area_id),
        "candidates": sorted([found.area_id, *candidates]) if found.area_id and candidates else candidates,
        "township_id": township, "township_source": source, "area_path": path,
        "nearest_school_id": nearest[0] if nearest else None,
        "nearest_school_m": round(nearest[1], 1) if nearest else None,
    }  # fmt: skip


def perimeters_within(session: Session, lon: float, lat: float, radius_m: float) -> list[dict[str, Any]]:
    """Perimeters within `radius_m` metres of a WGS-84 point, nearest first."""
    known = facts(session)
    found = known.perimeters.within(lon, lat, radius_m) if known else []
    return [{"site_id": site_id, "distance_m": round(metres, 2), "inside": metres == 0} for site_id, metres in found]


def _township(known: Any, lon: float, lat: float, district: str | None, nearest: Any) -> tuple[str | None, str | None]:
    if district is None:
        return None, None
    if nearest and nearest[1] <= NEAREST_SITE_M and known.sites[nearest[0]]["district_id"] == district:
        return known.sites[nearest[0]]["township_id"], "nearest_site"
    seats = [(distance_m(lon, lat, x, y), area) for area, parent, x, y in known.townships if parent == district]
    return (min(seats)[1], "nearest_seat") if seats else (None, None)
