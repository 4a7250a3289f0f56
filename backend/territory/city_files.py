"""Reading a city's folder: CSV, GeoJSON and YAML in, plain rows out, every broken row named.

Never here: a database, a request, a clock, or anything known of one city.
Township ids are the nine-digit codes of the system that city.yaml names; codes of other systems differ and
collide, so nothing is ever joined to them by the code alone. Coordinates are WGS-84, lon then lat.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from backend.territory.city_rows import MAX_PROBLEMS, City, CityReader, RowProblem

__all__ = ["MAX_PROBLEMS", "City", "CityFileError", "RowProblem", "read_city"]

MARGIN_DEG = 0.2  # a site further outside the districts' box than this is a mistake, not a border case
# Steps below the city at which the place of a post may lie; a department has posts in city and districts
LAYERS: Mapping[str, tuple[int, ...]] = {
    "city": (0,),
    "department": (0, 1),
    "district": (1,),
    "township": (2,),
    "unit": (3,),
}
NUMBERS = frozenset({"students", "nearest_school_m"})  # attributes of sites that are numbers, not text
SITE_FILES = (
    ("schools.csv", "school", "level", ("ownership", "students")),
    ("hazard_sites.csv", "hazard_site", "category", ("risk", "nearest_school", "nearest_school_m")),
)
SITE_COLUMNS = ("site_id", "name", "district_adcode", "township_code9", "zone", "lon", "lat")
POST_COLUMNS = ("post_id", "layer", "area_id", "site_id", "department_id", "title_zh", "title_en")


class CityFileError(Exception):
    """The folder cannot be loaded; `problems` names file, line and reason of each fault."""

    def __init__(self, problems: list[RowProblem]) -> None:
        super().__init__("; ".join(str(p) for p in problems[:5]))
        self.problems = problems


def read_city(folder: Path) -> City:
    """Read and check a city's folder (UTF-8); never returns half a city.

    Raises CityFileError with every fault up to MAX_PROBLEMS.
    """
    reader = CityReader(folder)
    for step in (_city, _districts, _townships, _zones, _departments, _sites, _posts, _holders):
        step(reader)
    if reader.problems:
        raise CityFileError(reader.problems)
    return reader.city


def _city(r: CityReader) -> None:
    text = r.text("city.yaml")
    if text is None:
        return
    try:
        head = yaml.safe_load(text)
        r.city.id, r.city.code_system = str(head["adcode"]), str(head["code_system"])
        r.city.sample = bool(head.get("sample", False))
        r.city.name_zh, r.city.name_en = str(head["name"]["zh"]), str(head["name"]["en"])
    except (yaml.YAMLError, KeyError, TypeError) as fault:
        r.bad("city.yaml", 0, f"cannot be read: {fault!r}")
        return
    r.area(r.city.id, "city", r.city.name_zh, r.city.name_en, None)
    return


def _districts(r: CityReader) -> None:
    file, boxes = "districts.geojson", []
    r.path_of.setdefault(r.city.id, r.city.id)
    for n, feature, polygon in r.polygons(file):
        facts = feature.get("properties", {})
        code, name = str(facts.get("adcode") or ""), facts.get("name")
        if not code or not name:
            r.bad(file, n, "adcode or name is missing")
        elif code in r.path_of:
            r.bad(file, n, f"adcode {code!r} is given twice")
        else:
            boxes.append(polygon.bounds)
            r.area(code, "district", name, facts.get("name_en") or name, r.city.id, geometry=feature["geometry"])
    if boxes:
        west, south, east, north = zip(*boxes, strict=True)
        low, high = (min(west), min(south)), (max(east), max(north))
        r.box = (low[0] - MARGIN_DEG, low[1] - MARGIN_DEG, high[0] + MARGIN_DEG, high[1] + MARGIN_DEG)


def _townships(r: CityReader) -> None:
    file = "townships.csv"
    for line, row in r.rows(file, "code9", "name", "pinyin", "district_adcode", "seat_lon", "seat_lat"):
        code, district = row["code9"], row["district_adcode"]
        lon, lat = r.point(file, line, row["seat_lon"], row["seat_lat"])
        if r.path_of.get(district, "").count("/") != 1:
            r.bad(file, line, f"unknown district {district!r}")
        elif code in r.path_of:
            r.bad(file, line, f"code9 {code!r} is the id of another area")
        else:
            r.area(code, "township", row["name"], row["pinyin"].title(), district, seat_lon=lon, seat_lat=lat)


def _zones(r: CityReader) -> None:
    for _, row in r.rows("zones.csv", "zone", "kind", "townships", "status"):
        r.city.zones.append({"id": row["zone"], **{k: row[k] for k in ("kind", "townships", "status")}})


def _departments(r: CityReader) -> None:
    for _, row in r.rows("departments.csv", "id", "name_zh", "name_en"):
        r.city.departments.append({k: row[k] for k in ("id", "name_zh", "name_en")})


def _sites(r: CityReader) -> None:
    shapes = {str(feature.get("id")): feature["geometry"] for _, feature, _ in r.polygons("perimeters.geojson")}
    zones, schools = {None, *(z["id"] for z in r.city.zones)}, set[str]()
    for file, kind, category, extra in SITE_FILES:
        for line, row in r.rows(file, *SITE_COLUMNS, category, *extra):
            near, made = row.get("nearest_school"), _site(r, file, line, row)
            more = _attributes(r, file, line, row, extra)
            if made and made["zone"] not in zones:
                r.bad(file, line, f"unknown zone {row['zone']!r}")
            elif near and near not in schools:
                r.bad(file, line, f"unknown school {near!r}")
            elif made:
                schools |= {made["id"]} if kind == "school" else set()
                perimeter = shapes.pop(made["id"], None)
                r.city.sites.append(
                    {
                        **made,
                        "kind": kind,
                        "category": row[category],
                        "perimeter": perimeter,
                        "attributes": more,
                    }
                )
    for site_id in sorted(shapes):
        r.bad("perimeters.geojson", 0, f"perimeter of unknown site {site_id!r}")


def _attributes(r: CityReader, file: str, line: int, row: Mapping[str, str], names: tuple[str, ...]) -> dict[str, Any]:
    """Those that are given; counts and metres as whole numbers."""
    given: dict[str, Any] = {k: row[k] for k in names if row[k]}
    for name in NUMBERS & given.keys():
        value = r.number(file, line, given[name], name, 0, 1e7)
        given[name] = None if value is None else round(value)
    return given


def _site(r: CityReader, file: str, line: int, row: Mapping[str, str]) -> dict[str, Any] | None:
    """Where a site lies: its own columns but for kind, category, perimeter and attributes."""
    site_id, district, township = row["site_id"], row["district_adcode"], row["township_code9"]
    if district not in r.path_of:
        r.bad(file, line, f"unknown district {district!r}")
        return None
    if r.path_of.get(township) != f"{r.path_of[district]}/{township}":
        r.bad(file, line, f"township {township!r} is not in district {district}")
        return None
    if site_id in r.path_of:
        r.bad(file, line, f"site_id {site_id!r} is given twice")
        return None
    lon, lat = r.point(file, line, row["lon"], row["lat"])
    if lon is None or lat is None:
        return None
    r.path_of[site_id] = f"{r.path_of[township]}/{site_id}"
    return {
        "id": site_id, "name": row["name"], "district_id": district, "township_id": township,
        "zone": row["zone"] or None, "lon": lon, "lat": lat, "area_path": r.path_of[site_id],
    }  # fmt: skip


def _posts(r: CityReader) -> None:
    file, departments = "posts.csv", {d["id"] for d in r.city.departments}
    for line, row in r.rows(file, *POST_COLUMNS):
        layer, place = row["layer"], row["site_id"] or row["area_id"]
        if layer not in LAYERS:
            r.bad(file, line, f"unknown layer {layer!r}")
        elif place not in r.path_of:
            r.bad(file, line, f"unknown place {place!r}")
        elif r.path_of[place].count("/") not in LAYERS[layer]:
            r.bad(file, line, f"layer {layer} does not fit a place such as {r.path_of[place]}")
        elif row["department_id"] not in departments and (row["department_id"] or layer == "department"):
            r.bad(file, line, f"unknown department {row['department_id']!r}")
        else:
            blank = {k: row[k] or None for k in ("area_id", "site_id", "department_id")}
            titles = {k: row[k] for k in ("title_zh", "title_en")}
            r.city.posts.append(
                {"id": row["post_id"], "layer": layer, "area_path": r.path_of[place], **blank, **titles}
            )


def _holders(r: CityReader) -> None:
    file, posts, terms = "holders.csv", {p["id"] for p in r.city.posts}, dict[str, list[tuple[date, date]]]()
    for line, row in r.rows(file, "post_id", "person", "from_on", "to_on", is_id=False):
        post = row["post_id"]
        try:
            start, end = date.fromisoformat(row["from_on"]), date.fromisoformat(row["to_on"] or "9999-12-31")
        except ValueError as fault:
            r.bad(file, line, f"bad date: {fault}")
            continue
        if post not in posts:
            r.bad(file, line, f"unknown post {post!r}")
        elif end < start:
            r.bad(file, line, "to_on is before from_on")
        elif any(a <= end and start <= b for a, b in terms.get(post, ())):
            r.bad(file, line, f"overlaps another holder of {post!r}")
        else:
            terms.setdefault(post, []).append((start, end))
            until = end.isoformat() if row["to_on"] else None
            r.city.holdings.append(
                {"post_id": post, "person": row["person"], "from_on": start.isoformat(), "to_on": until}
            )
