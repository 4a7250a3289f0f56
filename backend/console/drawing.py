"""The map as numbers for an SVG: districts on a plane, problems as marks. No outside tiles, no decisions."""

import math
from collections.abc import Iterable
from typing import Any

WIDTH = 720.0
LABEL_HALF_WIDTH, LABEL_HEIGHT = 52.0, 30.0
# state → (CSS class, shape): colour is never alone
MARKS = {
    "closed": ("closed", "square"),
    "fix_reported": ("waiting", "diamond"),
    "to_verify": ("waiting", "diamond"),
    "refuted": ("closed", "square"),
}


def draw(areas: Iterable[Any], dots: Iterable[Any]) -> dict[str, Any]:
    """Paths, labels and marks in a box of WIDTH units; empty where no district is known."""
    shapes = [(a, [ring for polygon in _polygons(a.geometry) for ring in polygon]) for a in areas if a.geometry]
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
        path = "".join("M" + "L".join(f"{x} {y}" for x, y in (place(*p[:2]) for p in ring)) + "Z" for ring in rings)
        edge = [place(*p[:2]) for p in max(rings, key=len)]
        drawn.append({"id": area.id, "name": area.name_zh, "name_en": area.name_en, "path": path, "edge": edge})
    marks = [
        (*place(d.lon, d.lat), *MARKS.get(d.state, ("open", "circle")))
        for d in dots
        if west <= d.lon <= east and south <= d.lat <= north
    ]
    for one in drawn:
        one["at"] = _label_place(one.pop("edge"), [(m[0], m[1]) for m in marks])
    return {"width": WIDTH, "height": round((north - south) * scale, 1), "areas": drawn, "marks": marks}


def _label_place(edge: list[tuple[float, float]], marks: list[tuple[float, float]]) -> tuple[float, float]:
    """Where, of a grid, a label covers the fewest marks and stays within its district; else the middle."""
    left, right = min(p[0] for p in edge), max(p[0] for p in edge)
    top, bottom = min(p[1] for p in edge), max(p[1] for p in edge)
    middle = ((left + right) / 2, (top + bottom) / 2)
    grid = [(left + (right - left) * i / 20, top + (bottom - top) * j / 20) for i in range(1, 20) for j in range(1, 20)]
    inside = [
        (x, y)
        for x, y in grid
        if all(_holds(edge, x + dx, y + dy) for dx in (-LABEL_HALF_WIDTH, 0.0, LABEL_HALF_WIDTH) for dy in (-24.0, 4.0))
    ]

    def cost(at: tuple[float, float]) -> tuple[int, float]:
        covered = sum(abs(x - at[0]) < LABEL_HALF_WIDTH + 5 and at[1] - LABEL_HEIGHT < y < at[1] + 10 for x, y in marks)
        return covered, math.dist(at, middle)

    x, y = min(inside, key=cost, default=middle)
    return round(x, 1), round(y, 1)


def _holds(edge: list[tuple[float, float]], x: float, y: float) -> bool:
    """Whether a point lies within a ring (even-odd rule)."""
    is_inside = False
    for (ax, ay), (bx, by) in zip(edge, edge[1:] + edge[:1], strict=True):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            is_inside = not is_inside
    return is_inside


def _polygons(geometry: Any) -> list[Any]:
    return geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
