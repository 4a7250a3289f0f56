"""The map as numbers for an SVG: districts projected to a plane, problems as marks. No outside tiles, no decisions."""

import math
from collections.abc import Iterable
from typing import Any

WIDTH = 720.0
# state → (CSS class, shape): colour is never alone
MARKS = {
    "closed": ("closed", "square"),
    "fix_reported": ("waiting", "diamond"),
    "refuted": ("closed", "square"),
}


def draw(areas: Iterable[Any], dots: Iterable[Any]) -> dict[str, Any]:
    """Paths, labels and marks in a box of WIDTH units; empty where no district is known."""
    shapes = [
        (a, [ring for polygon in _polygons(a.geometry) for ring in polygon]) for a in areas if a.geometry
    ]
    points = [p for _, rings in shapes for ring in rings for p in ring]
    if not points:
        return {"width": WIDTH, "height": 0, "areas": [], "marks": []}
    west, north = min(p[0] for p in points), max(p[1] for p in points)
    east, south = max(p[0] for p in points), min(p[1] for p in points)
    shrink = math.cos(math.radians((north + south) / 2))
    scale = WIDTH / ((east - west) * shrink)

    def place(lon: float, lat: float) -> tuple[float, float]:
        return round((lon - west) * shrink * scale, 1), round((north - lat) * scale, 1)

    drawn = []
    for area, rings in shapes:
        path = "".join(
            "M" + "L".join(f"{x} {y}" for x, y in (place(*p[:2]) for p in ring)) + "Z" for ring in rings
        )
        longest = max(rings, key=len)
        middle = place(sum(p[0] for p in longest) / len(longest), sum(p[1] for p in longest) / len(longest))
        drawn.append(
            {"id": area.id, "name": area.name_zh, "name_en": area.name_en, "path": path, "at": middle}
        )
    marks = [
        (*place(d.lon, d.lat), *MARKS.get(d.state, ("open", "circle")))
        for d in dots
        if west <= d.lon <= east and south <= d.lat <= north
    ]
    return {"width": WIDTH, "height": round((north - south) * scale, 1), "areas": drawn, "marks": marks}


def _polygons(geometry: Any) -> list[Any]:
    return geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
