"""Coordinates and distances: WGS-84, GCJ-02, BD-09; which area, which perimeter, how far. Pure; no database, no clock.

Everything stored is WGS-84 longitude, latitude in degrees (CGCS2000 equals it to less than a metre). The two Chinese
systems are shifted by hundreds of metres and are converted at the edges, never stored.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import shapely
from pyproj import Geod, Transformer
from shapely import STRtree

GEOD = Geod(ellps="WGS84")
_AXIS_M, _ECC2 = 6378245.0, 0.00669342162296594323  # Krasovsky 1940, on which the shift is defined
_BD_ROUND = math.pi * 3000.0 / 180.0
# Rough outline of where the shift applies; outside of it GCJ-02 equals WGS-84.
CHINA = shapely.box(72.004, 0.8293, 137.8347, 55.8271)


class Crs(StrEnum):
    """Reference systems that a position may be given in."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


def _shift(lon: Any, lat: Any) -> tuple[Any, Any]:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    wave = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    dlat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    dlat += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    dlat += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    dlon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    dlon += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    dlon += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    phi = np.radians(lat)
    magic = 1.0 - _ECC2 * np.sin(phi) ** 2
    dlat = np.degrees(dlat / (_AXIS_M * (1.0 - _ECC2) / (magic * np.sqrt(magic))))
    dlon = np.degrees(dlon / (_AXIS_M / np.sqrt(magic) * np.cos(phi)))
    inside = shapely.intersects_xy(CHINA, lon, lat)
    return np.where(inside, dlon, 0.0), np.where(inside, dlat, 0.0)


def _gcj_to_wgs(lon: Any, lat: Any) -> tuple[Any, Any]:
    west, south = lon, lat
    for _ in range(12):  # fixed-point iteration; each round gains about two digits
        dlon, dlat = _shift(west, south)
        west, south = lon - dlon, lat - dlat
    return west, south


def _gcj_to_bd(lon: Any, lat: Any) -> tuple[Any, Any]:
    z = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_ROUND)
    theta = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_ROUND)
    return z * np.cos(theta) + 0.0065, z * np.sin(theta) + 0.006


def _bd_to_gcj(lon: Any, lat: Any) -> tuple[Any, Any]:
    x, y = lon - 0.0065, lat - 0.006
    for _ in range(12):
        east, north = _gcj_to_bd(x, y)
        x, y = x + lon - east, y + lat - north
    return x, y


def _checked(lon: Any, lat: Any) -> tuple[Any, Any]:
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise ValueError("longitude and latitude must be finite numbers")
    if (np.abs(lon) > 180).any() or (np.abs(lat) > 90).any():
        raise ValueError("longitude is within ±180 and latitude within ±90 degrees")
    return lon, lat


def to_wgs84(lon: Any, lat: Any, crs: Crs | str) -> tuple[Any, Any]:
    """Degrees in `crs` → WGS-84 degrees; numbers or arrays. Raises ValueError for what is no position."""
    lon, lat = _checked(lon, lat)
    if crs == Crs.BD09:
        lon, lat = _bd_to_gcj(lon, lat)
    if crs != Crs.WGS84:
        lon, lat = _gcj_to_wgs(lon, lat)
    return lon, lat


def from_wgs84(lon: Any, lat: Any, crs: Crs | str) -> tuple[Any, Any]:
    """WGS-84 degrees → degrees in `crs`; numbers or arrays. Raises ValueError for what is no position."""
    lon, lat = _checked(lon, lat)
    if crs != Crs.WGS84:
        dlon, dlat = _shift(lon, lat)
        lon, lat = lon + dlon, lat + dlat
    return _gcj_to_bd(lon, lat) if crs == Crs.BD09 else (lon, lat)


def distance_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Length in metres of the geodesic between two WGS-84 points."""
    return float(GEOD.inv(lon1, lat1, lon2, lat2)[2])


class Plane:
    """A metric plane around a place: transverse Mercator with its axis there (error < 1 mm in 10 km)."""

    def __init__(self, lon: float, lat: float) -> None:
        target = f"+proj=tmerc +lat_0={lat} +lon_0={lon} +k=1 +x_0=0 +y_0=0 +ellps=WGS84 +units=m"
        self._to = Transformer.from_crs("EPSG:4326", target, always_xy=True)

    def xy(self, coordinates: Any) -> Any:
        """Array (n, 2) of degrees → array (n, 2) of metres."""
        return np.column_stack(self._to.transform(coordinates[:, 0], coordinates[:, 1]))

    def geometry(self, shape: Any) -> Any:
        """A shapely geometry in degrees → the same in metres."""
        return shapely.transform(shape, self.xy)


@dataclass(frozen=True, slots=True)
class Located:
    """Area of a point, areas that its accuracy circle touches, metres to its own area's border."""

    area_id: str | None
    near: tuple[str, ...]
    margin_m: float | None


class AreaIndex:
    """Areas (id, polygon in degrees) of one city, ready to be asked about points. Immutable; safe for threads."""

    def __init__(self, areas: Iterable[tuple[str, Any]]) -> None:
        self.ids, shapes = zip(*areas, strict=True)
        self._shapes = list(shapes)
        shapely.prepare(self._shapes)
        middle = shapely.union_all(self._shapes).centroid
        self._plane = Plane(middle.x, middle.y)
        self._metric = [self._plane.geometry(shape) for shape in self._shapes]
        shapely.prepare(self._metric)
        self._borders = [shape.boundary for shape in self._metric]

    def locate(self, lon: float, lat: float, accuracy_m: float = 0.0) -> Located:
        """Which area holds the point (WGS-84), and which others its circle of `accuracy_m` touches."""
        point = shapely.Point(*self._plane.xy(np.array([[lon, lat]]))[0])
        inside = [n for n, shape in enumerate(self._shapes) if shapely.intersects_xy(shape, lon, lat)]
        near = tuple(sorted(
            self.ids[n] for n, shape in enumerate(self._metric) if shapely.dwithin(shape, point, accuracy_m)
        ))  # fmt: skip
        if not inside:
            return Located(None, near, None)
        return Located(self.ids[inside[0]], near, float(shapely.distance(self._borders[inside[0]], point)))


class PerimeterIndex:
    """Perimeters (site id, polygon in degrees), asked for the nearest and for all within a radius."""

    def __init__(self, perimeters: Sequence[tuple[str, Any]]) -> None:
        self.ids = [site_id for site_id, _ in perimeters]
        shapes = [shape for _, shape in perimeters]
        middle = (
            shapely.centroid(shapely.multipoints([shape.centroid for shape in shapes]))
            if shapes
            else shapely.Point(0, 0)
        )
        self._plane = Plane(middle.x, middle.y)
        self._metric = np.array([self._plane.geometry(shape) for shape in shapes], dtype=object)
        self._tree = STRtree(self._metric)

    def _point(self, lon: float, lat: float) -> Any:
        return shapely.Point(*self._plane.xy(np.array([[lon, lat]]))[0])

    def nearest(self, lon: float, lat: float, limit_m: float = 50_000.0) -> tuple[str, float, bool] | None:
        """(site id, metres, whether inside) of the nearest perimeter within `limit_m`, else None."""
        found = self._tree.query_nearest(self._point(lon, lat), max_distance=limit_m, return_distance=True)
        if not len(found[0]):
            return None
        n, metres = min(zip(found[0], found[1], strict=True), key=lambda pair: (pair[1], self.ids[pair[0]]))
        return self.ids[n], float(metres), metres == 0.0

    def within(self, lon: float, lat: float, radius_m: float) -> list[tuple[str, float]]:
        """(site id, metres) of every perimeter within `radius_m`, nearest first; 0 inside."""
        point = self._point(lon, lat)
        hits = self._tree.query(point, predicate="dwithin", distance=radius_m)
        found = [(self.ids[n], float(shapely.distance(self._metric[n], point))) for n in hits]
        return sorted(found, key=lambda pair: (pair[1], pair[0]))
