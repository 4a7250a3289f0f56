"""Reading a city's folder: CSV, GeoJSON and YAML in, plain rows out, every broken row named. No database.

Township ids are the nine-digit codes of the system that city.yaml names; codes of other systems differ and collide,
so nothing is ever joined to them by the code alone.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import shapely
import yaml
from shapely.geometry import shape

MAX_PROBLEMS = 100
MARGIN_DEG = 0.2  # a site further outside the districts' box than this is a mistake, not a border case
LAYERS = frozenset({"city", "department", "district", "township", "unit"})


@dataclass(frozen=True, slots=True)
class RowProblem:
    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class CityFileError(Exception):
    """The folder cannot be loaded; `problems` names file, line and reason of each fault. Nothing was loaded."""

    def __init__(self, problems: list[RowProblem]) -> None:
        super().__init__("; ".join(str(p) for p in problems[:5]))
        self.problems = problems


@dataclass(slots=True)
class City:
    """A whole city as rows ready for the `city.load` op (plain JSON values only)."""

    id: str
    name_zh: str
    name_en: str
    code_system: str
    areas: list[dict[str, Any]] = field(default_factory=list)
    zones: list[dict[str, Any]] = field(default_factory=list)
    sites: list[dict[str, Any]] = field(default_factory=list)
    departments: list[dict[str, Any]] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    holdings: list[dict[str, Any]] = field(default_factory=list)

    def body(self) -> dict[str, Any]:
        """The args of `city.load`."""
        return {name: getattr(self, name) for name in self.__slots__}


class _Reader:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[RowProblem] = []
        self.city = City("", "", "", "")
        self.path_of: dict[str, str] = {}
        self.box = (-180.0, -90.0, 180.0, 90.0)

    def bad(self, file: str, line: int, reason: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(RowProblem(file, line, reason))

    def rows(self, file: str, *columns: str) -> Iterator[tuple[int, dict[str, str]]]:
        try:
            text = (self.folder / file).read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return self.bad(file, 0, "file is missing")
        except UnicodeDecodeError as fault:
            return self.bad(file, 0, f"is not UTF-8: {fault.reason}")
        reader = csv.DictReader(text.splitlines())
        absent = [c for c in columns if c not in (reader.fieldnames or ())]
        if absent:
            return self.bad(file, 1, f"columns are missing: {', '.join(absent)}")
        seen: set[str] = set()
        for row in reader:
            key = row[columns[0]]
            if None in row or any(v is None for v in row.values()):
                self.bad(file, reader.line_num, "has more or fewer fields than the header")
            elif not key:
                self.bad(file, reader.line_num, f"{columns[0]} is empty")
            elif key in seen and file != "holders.csv":
                self.bad(file, reader.line_num, f"{columns[0]} {key!r} is given twice")
            else:
                seen.add(key)
                yield reader.line_num, row
        return None

    def geojson(self, file: str) -> list[Mapping[str, Any]]:
        try:
            found = json.loads((self.folder / file).read_text(encoding="utf-8"))["features"]
        except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as fault:
            self.bad(file, 0, f"cannot be read as GeoJSON: {fault}")
            return []
        return list(found)

    def polygon(self, file: str, n: int, feature: Mapping[str, Any]) -> Any:
        try:
            made = shape(feature["geometry"])
        except (KeyError, ValueError, TypeError, AttributeError, shapely.errors.ShapelyError) as fault:
            return self.bad(file, n, f"geometry cannot be read: {fault}")
        if made.geom_type not in ("Polygon", "MultiPolygon") or not made.is_valid or made.is_empty:
            return self.bad(file, n, f"geometry is not a valid polygon: {shapely.is_valid_reason(made)}")
        return made

    def number(self, file: str, line: int, text: str, name: str, low: float, high: float) -> float | None:
        try:
            value = float(text)
        except ValueError:
            return self.bad(file, line, f"{name} {text!r} is not a number")
        if not low <= value <= high:
            return self.bad(file, line, f"{name} {value} lies outside {low:.3f}…{high:.3f}")
        return value


def read_city(folder: Path) -> City:
    """Read and check a city's folder. Raises CityFileError with every fault; never returns half a city."""
    reader = _Reader(folder)
    for step in (
        _city,
        _districts,
        _townships,
        _zones,
        _departments,
        _perimeters_and_sites,
        _posts,
        _holders,
    ):
        step(reader)
    if reader.problems:
        raise CityFileError(reader.problems)
    return reader.city


def _city(r: _Reader) -> None:
    try:
        head = yaml.safe_load((r.folder / "city.yaml").read_text(encoding="utf-8"))
        r.city.id, r.city.code_system = str(head["adcode"]), str(head["code_system"])
        r.city.name_zh, r.city.name_en = str(head["name"]["zh"]), str(head["name"]["en"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as fault:
        return r.bad("city.yaml", 0, f"cannot be read: {fault!r}")
    r.path_of[r.city.id] = r.city.id
    r.city.areas.append(_area(r, r.city.id, "city", r.city.name_zh, r.city.name_en, None))
    return None


def _area(
    r: _Reader, area_id: str, level: str, zh: str, en: str, parent: str | None, **more: Any
) -> dict[str, Any]:
    row = {"id": area_id, "level": level, "code_system": r.city.code_system, "name_zh": zh, "name_en": en,
           "parent_id": parent, "area_path": r.path_of[area_id], "geometry": None, "seat_lon": None, "seat_lat": None}  # fmt: skip
    return {**row, **more}


def _districts(r: _Reader) -> None:
    boxes = []
    for n, feature in enumerate(r.geojson("districts.geojson"), 1):
        polygon = r.polygon("districts.geojson", n, feature)
        facts = feature.get("properties") or {}
        if not facts.get("adcode") or not facts.get("name"):
            r.bad("districts.geojson", n, "adcode or name is missing")
        elif polygon is not None:
            code = str(facts["adcode"])
            r.path_of[code] = f"{r.city.id}/{code}"
            boxes.append(polygon.bounds)
            r.city.areas.append(
                _area(
                    r,
                    code,
                    "district",
                    facts["name"],
                    facts.get("name_en") or facts["name"],
                    r.city.id,
                    geometry=feature["geometry"],
                )
            )
    if boxes:
        west, south, east, north = zip(*boxes, strict=True)
        r.box = (
            min(west) - MARGIN_DEG,
            min(south) - MARGIN_DEG,
            max(east) + MARGIN_DEG,
            max(north) + MARGIN_DEG,
        )


def _point(r: _Reader, file: str, line: int, lon: str, lat: str) -> tuple[float | None, float | None]:
    west, south, east, north = r.box
    return r.number(file, line, lon, "lon", west, east), r.number(file, line, lat, "lat", south, north)


def _townships(r: _Reader) -> None:
    file = "townships.csv"
    for line, row in r.rows(file, "code9", "name", "pinyin", "district_adcode", "seat_lon", "seat_lat"):
        if row["district_adcode"] not in r.path_of:
            r.bad(file, line, f"unknown district {row['district_adcode']!r}")
            continue
        lon, lat = _point(r, file, line, row["seat_lon"], row["seat_lat"])
        r.path_of[row["code9"]] = f"{r.path_of[row['district_adcode']]}/{row['code9']}"
        r.city.areas.append(
            _area(
                r,
                row["code9"],
                "township",
                row["name"],
                row["pinyin"].title(),
                row["district_adcode"],
                seat_lon=lon,
                seat_lat=lat,
            )
        )


def _zones(r: _Reader) -> None:
    for _, row in r.rows("zones.csv", "zone", "kind", "townships", "status"):
        r.city.zones.append(
            {"id": row["zone"], "kind": row["kind"], "townships": row["townships"], "status": row["status"]}
        )


def _departments(r: _Reader) -> None:
    for _, row in r.rows("departments.csv", "id", "name_zh", "name_en"):
        r.city.departments.append({k: row[k] for k in ("id", "name_zh", "name_en")})


def _perimeters_and_sites(r: _Reader) -> None:
    perimeters: dict[str, Any] = {}
    for n, feature in enumerate(r.geojson("perimeters.geojson"), 1):
        if r.polygon("perimeters.geojson", n, feature) is not None:
            perimeters[str(feature.get("id"))] = feature["geometry"]
    common = ("site_id", "name", "district_adcode", "township_code9", "zone", "lon", "lat")
    seen: set[str] = set()
    for file, kind, category, extra in (
        ("schools.csv", "school", "level", ("ownership", "students")),
        ("hazard_sites.csv", "hazard_site", "category", ("risk", "nearest_school", "nearest_school_m")),
    ):
        for line, row in r.rows(file, *common, category, *extra):
            site = _site(r, file, line, row, kind, category, extra, perimeters)
            if site and site["id"] in seen:
                r.bad(file, line, f"site_id {site['id']!r} is given twice")
            elif site:
                seen.add(site["id"])
                r.city.sites.append(site)
    for site_id in sorted(set(perimeters) - seen):
        r.bad("perimeters.geojson", 0, f"perimeter of unknown site {site_id!r}")


def _site(r: _Reader, file: str, line: int, row: Mapping[str, str], kind: str, category: str, extra: tuple[str, ...],
          perimeters: Mapping[str, Any]) -> dict[str, Any] | None:  # fmt: skip
    district, township, site_id = row["district_adcode"], row["township_code9"], row["site_id"]
    if district not in r.path_of:
        return r.bad(file, line, f"unknown district {district!r}")
    if r.path_of.get(township) != f"{r.path_of[district]}/{township}":
        return r.bad(file, line, f"township {township!r} is not in district {district}")
    lon, lat = _point(r, file, line, row["lon"], row["lat"])
    if lon is None or lat is None:
        return None
    r.path_of[site_id] = f"{r.path_of[township]}/{site_id}"
    return {
        "id": site_id, "kind": kind, "category": row[category], "name": row["name"], "district_id": district,
        "township_id": township, "zone": row["zone"] or None, "lon": lon, "lat": lat,
        "perimeter": perimeters.get(site_id), "attributes": {k: row[k] for k in extra if row[k]},
        "area_path": r.path_of[site_id],
    }  # fmt: skip


def _posts(r: _Reader) -> None:
    file, departments = "posts.csv", {d["id"] for d in r.city.departments}
    for line, row in r.rows(
        file, "post_id", "layer", "area_id", "site_id", "department_id", "title_zh", "title_en"
    ):
        place = row["site_id"] if row["layer"] == "unit" else row["area_id"]
        if row["layer"] not in LAYERS:
            r.bad(file, line, f"unknown layer {row['layer']!r}")
        elif place not in r.path_of:
            r.bad(file, line, f"unknown place {place!r}")
        elif row["layer"] == "department" and row["department_id"] not in departments:
            r.bad(file, line, f"unknown department {row['department_id']!r}")
        else:
            r.city.posts.append({
                "id": row["post_id"], "layer": row["layer"], "area_path": r.path_of[place], "area_id": row["area_id"] or None,
                "site_id": row["site_id"] or None, "department_id": row["department_id"] or None,
                "title_zh": row["title_zh"], "title_en": row["title_en"],
            })  # fmt: skip


def _holders(r: _Reader) -> None:
    file, posts, terms = "holders.csv", {p["id"] for p in r.city.posts}, dict[str, list[tuple[str, str]]]()
    for line, row in r.rows(file, "post_id", "person", "from_on", "to_on"):
        try:
            start, end = date.fromisoformat(row["from_on"]), date.fromisoformat(row["to_on"] or "9999-12-31")
        except ValueError as fault:
            r.bad(file, line, f"bad date: {fault}")
            continue
        term = (start.isoformat(), end.isoformat())
        if row["post_id"] not in posts:
            r.bad(file, line, f"unknown post {row['post_id']!r}")
        elif end < start:
            r.bad(file, line, "to_on is before from_on")
        elif any(a <= term[1] and term[0] <= b for a, b in terms.get(row["post_id"], ())):
            r.bad(file, line, f"overlaps another holder of {row['post_id']!r}")
        else:
            terms.setdefault(row["post_id"], []).append(term)
            r.city.holdings.append(
                {
                    "post_id": row["post_id"],
                    "person": row["person"],
                    "from_on": row["from_on"],
                    "to_on": row["to_on"] or None,
                }
            )
