"""The rows of a city and the reader that gathers them: files to rows, each fault kept with file and line.

Never here: what a city must consist of; `city_files` says that. No database, no request, no clock.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import shape

MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One fault. `line`: the header is 1; in GeoJSON it counts features; 0 means the whole file."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(slots=True)
class City:
    """A whole city as rows ready for the `city.load` op (plain JSON values only, days as ISO text)."""

    id: str
    name_zh: str
    name_en: str
    code_system: str
    sample: bool = False
    areas: list[dict[str, Any]] = field(default_factory=list)
    zones: list[dict[str, Any]] = field(default_factory=list)
    sites: list[dict[str, Any]] = field(default_factory=list)
    departments: list[dict[str, Any]] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    holdings: list[dict[str, Any]] = field(default_factory=list)

    def body(self) -> dict[str, Any]:
        """The args of `city.load`."""
        return {name: getattr(self, name) for name in self.__slots__}


class CityReader:
    """What has been read so far, and what was wrong with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[RowProblem] = []
        self.city = City("", "", "", "")
        self.path_of: dict[str, str] = {}
        self.box = (-180.0, -90.0, 180.0, 90.0)

    def bad(self, file: str, line: int, reason: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(RowProblem(file, line, reason))

    def text(self, file: str) -> str | None:
        try:
            return (self.folder / file).read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            self.bad(file, 0, "file is missing")
            return None
        except UnicodeDecodeError as fault:
            self.bad(file, 0, f"is not UTF-8: {fault.reason}")
            return None

    def rows(self, file: str, *columns: str, is_id: bool = True) -> Iterator[tuple[int, dict[str, str]]]:
        """Rows with the line each ends on. The first of `columns` must be there, and unique where `is_id`."""
        reader = csv.DictReader(io.StringIO(self.text(file) or ",".join(columns), newline=""))
        absent = [c for c in columns if c not in (reader.fieldnames or ())]
        if absent:
            self.bad(file, 1, f"columns are missing: {', '.join(absent)}")
            return None
        seen: set[str] = set()
        try:
            for row in reader:
                key = row[columns[0]]
                if None in row or any(v is None for v in row.values()):
                    self.bad(file, reader.line_num, "has more or fewer fields than the header")
                elif not key:
                    self.bad(file, reader.line_num, f"{columns[0]} is empty")
                elif is_id and key in seen:
                    self.bad(file, reader.line_num, f"{columns[0]} {key!r} is given twice")
                else:
                    seen.add(key)
                    yield reader.line_num, row
        except csv.Error as fault:
            self.bad(file, reader.line_num, f"is not CSV: {fault}")
        return None

    def polygons(self, file: str) -> Iterator[tuple[int, Mapping[str, Any], Any]]:
        """Number, feature and geometry of each feature that is a valid polygon."""
        text = self.text(file)
        if text is None:
            return
        try:
            features = list(json.loads(text)["features"])
        except (ValueError, KeyError, TypeError) as fault:
            self.bad(file, 0, f"cannot be read as GeoJSON: {fault!r}")
            return None
        for n, feature in enumerate(features, 1):
            if not isinstance(feature, Mapping) or not isinstance(feature.get("properties", {}), Mapping):
                self.bad(file, n, f"no. {n} is not a feature")
            elif (made := self._polygon(file, n, feature)) is not None:
                yield n, feature, made

    def _polygon(self, file: str, n: int, feature: Mapping[str, Any]) -> Any:
        try:
            made = shape(feature["geometry"])
        except (KeyError, ValueError, TypeError, AttributeError, shapely.errors.ShapelyError) as fault:
            self.bad(file, n, f"geometry cannot be read: {fault!r}")
            return None
        if made.geom_type not in ("Polygon", "MultiPolygon") or not made.is_valid or made.is_empty:
            self.bad(file, n, f"geometry is not a valid polygon: {shapely.is_valid_reason(made)}")
            return None
        return made

    def number(self, file: str, line: int, text: str, name: str, low: float, high: float) -> float | None:
        try:
            value = float(text)
        except ValueError:
            self.bad(file, line, f"{name} {text!r} is not a number")
            return None
        if not low <= value <= high:
            self.bad(file, line, f"{name} {value} lies outside {low:.3f}…{high:.3f}")
            return None
        return value

    def point(self, file: str, line: int, lon: str, lat: str) -> tuple[float | None, float | None]:
        west, south, east, north = self.box
        return self.number(file, line, lon, "lon", west, east), self.number(file, line, lat, "lat", south, north)

    def area(self, area_id: str, level: str, zh: str, en: str, parent: str | None, **more: Any) -> None:
        above = f"{self.path_of[parent]}/" if parent else ""
        self.path_of[area_id] = above + area_id
        self.city.areas.append({
            "id": area_id, "level": level, "code_system": self.city.code_system, "name_zh": zh, "name_en": en,
            "parent_id": parent, "area_path": self.path_of[area_id], "geometry": None, "seat_lon": None,
            "seat_lat": None, **more,
        })  # fmt: skip
