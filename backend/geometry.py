"""Coordinates and distances: WGS-84, GCJ-02, BD-09; which area, which perimeter, how far.

Pure: never a database, a clock, a request or a file here. Everything stored is WGS-84 longitude, latitude
in degrees (CGCS2000 equals it to less than a metre); the two Chinese systems are shifted by hundreds of
metres and are converted at the edges, never stored.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from pyproj import Geod, Transformer
from shapely import STRtree

GEOD = Geod(ellps="WGS84")
_AXIS_M, _ECC2 = 6378245.0, 0.00669342162296594323  # Krasovsky 1940, on which the shift is defined
_BD_ROUND = math.pi * 3000.0 / 180.0
_ROUNDS = 12  # of the inverses; each gains two digits or more, so the last ones only polish
# Where the shift applies. No provider publishes the line: this one is drawn by hand, some 30 km outside the
# land and coast, so that no place of a Chinese city falls out. It is no map of borders and settles none.
_OUTLINE = (
    (73.3, 39.5), (74.8, 40.6), (76.3, 40.5), (78.4, 41.5), (80.2, 42.2), (80.2, 43.2), (80.8, 44.9),
    (82.3, 45.5), (82.9, 47.2), (85.3, 47.2), (85.6, 48.5), (87.4, 49.2), (88.2, 49.3), (90.2, 48.0),
    (91.1, 46.8), (91.0, 45.3), (93.6, 45.1), (95.5, 44.4), (96.5, 42.9), (100.0, 42.8), (105.0, 41.8),
    (107.5, 42.6), (109.5, 42.6), (112.0, 43.3), (111.6, 44.0), (112.0, 45.2), (114.0, 44.9), (116.5, 46.5),
    (119.9, 46.8), (118.5, 47.9), (115.5, 47.9), (116.1, 49.0), (116.8, 50.0), (119.3, 50.3), (120.8, 52.1),
    (120.1, 52.8), (121.0, 53.4), (123.6, 53.7), (126.1, 53.1), (127.7, 50.2), (130.8, 49.0), (131.1, 47.9),
    (134.9, 48.6), (134.0, 46.2), (133.2, 45.0), (131.9, 45.4), (131.2, 43.5), (130.7, 42.3), (129.0, 42.0),
    (126.9, 41.7), (124.9, 40.4), (124.2, 39.6), (123.8, 38.0), (123.6, 33.0), (124.0, 27.5), (123.9, 25.3),
    (122.3, 24.5), (122.0, 23.0), (121.0, 21.0), (119.5, 18.0), (118.0, 12.0), (115.5, 7.5), (112.0, 3.4),
    (108.5, 6.5), (109.9, 12.0), (110.3, 16.0), (108.0, 18.5), (107.8, 21.2), (106.7, 22.0), (105.3, 23.2),
    (103.9, 22.5), (102.4, 22.4), (101.8, 21.1), (100.2, 21.4), (99.0, 22.1), (98.8, 24.1), (97.5, 23.9),
    (97.6, 25.2), (98.7, 27.6), (97.0, 27.7), (95.2, 26.7), (92.1, 26.9), (91.6, 27.9), (90.5, 28.2),
    (89.3, 28.1), (88.9, 27.3), (88.7, 28.0), (86.0, 27.9), (84.2, 28.8), (81.6, 30.2), (78.7, 31.2),
    (79.0, 32.5), (78.4, 34.5), (76.0, 35.9), (74.5, 37.2), (74.9, 38.5),
)  # fmt: skip
CHINA = shapely.Polygon(_OUTLINE).buffer(0.3)
_NEAR_CHINA = CHINA.buffer(0.05)  # a shifted point of China lies in here: the shift is below 0.02 degrees
_CHINA_AND_A_CM = CHINA.buffer(1e-7)  # rounding must not turn a point on the outline out when it comes back
shapely.prepare([CHINA, _NEAR_CHINA, _CHINA_AND_A_CM])


class Crs(StrEnum):
    """Reference systems that a position may be given in."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


def _shift(lon: Any, lat: Any) -> tuple[Any, Any]:
    """Degrees by which GCJ-02 lies east and north of WGS-84; the formula alone, without asking where."""
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
    return dlon, dlat


def _wgs_to_gcj(lon: Any, lat: Any) -> tuple[Any, Any]:
    here = shapely.intersects_xy(CHINA, lon, lat)
    east, north = lon.copy(), lat.copy()
    dlon, dlat = _shift(lon[here], lat[here])
    east[here] += dlon
    north[here] += dlat
    return east, north


def _gcj_to_wgs(lon: Any, lat: Any) -> tuple[Any, Any]:
    """Inverse by iteration, kept only where it leads into China: outside of it GCJ-02 is WGS-84."""
    near = shapely.intersects_xy(_NEAR_CHINA, lon, lat)
    east, north = lon[near], lat[near]
    x, y = east, north
    for _ in range(_ROUNDS):
        dlon, dlat = _shift(x, y)
        x, y = east - dlon, north - dlat
    shifted = shapely.intersects_xy(_CHINA_AND_A_CM, x, y)
    west, south = lon.copy(), lat.copy()
    west[near] = np.where(shifted, x, east)
    south[near] = np.where(shifted, y, north)
    return west, south


def _gcj_to_bd(lon: Any, lat: Any) -> tuple[Any, Any]:
    z = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_ROUND)
    theta = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_ROUND)
    return z * np.cos(theta) + 0.0065, z * np.sin(theta) + 0.006


def _bd_to_gcj(lon: Any, lat: Any) -> tuple[Any, Any]:
    x, y = lon - 0.0065, lat - 0.006
    for _ in range(_ROUNDS):
        east, north = _gcj_to_bd(x, y)
        x, y = x + lon - east, y + lat - north
    return x, y


def _checked(lon: Any, lat: Any) -> tuple[Any, Any]:
    """The same as arrays of at least one dimension, or ValueError in words."""
    lon, lat = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    if lon.shape != lat.shape:
        raise ValueError("as many longitudes as latitudes")
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise ValueError("longitude and latitude must be finite numbers")
    if (np.abs(lon) > 180).any() or (np.abs(lat) > 90).any():
        raise ValueError("longitude is within ±180 and latitude within ±90 degrees")
    return lon, lat


def _as_given(given: Any, lon: Any, lat: Any) -> tuple[Any, Any]:
    return (lon, lat) if np.ndim(given) else (float(lon[0]), float(lat[0]))


def to_wgs84(lon: Any, lat: Any, crs: Crs | str) -> tuple[Any, Any]:
    """Degrees in `crs` → WGS-84 degrees: floats for numbers, arrays for arrays.

    Raises ValueError for what is no position (NaN, infinite, beyond ±180/±90) and for an unknown system.
    BD-09 has a meaning in China alone. There the way to and fro comes back within 1e-6 m.
    """
    system, (x, y) = Crs(crs), _checked(lon, lat)
    if system is Crs.BD09:
        x, y = _bd_to_gcj(x, y)
    if system is not Crs.WGS84:
        x, y = _gcj_to_wgs(x, y)
    return _as_given(lon, x, y)


def from_wgs84(lon: Any, lat: Any, crs: Crs | str) -> tuple[Any, Any]:
    """WGS-84 degrees → degrees in `crs`; what goes in and out, and the errors, are those of `to_wgs84`."""
    system, (x, y) = Crs(crs), _checked(lon, lat)
    if system is not Crs.WGS84:
        x, y = _wgs_to_gcj(x, y)
    if system is Crs.BD09:
        x, y = _gcj_to_bd(x, y)
    return _as_given(lon, x, y)


def distance_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Metres along the geodesic between two WGS-84 points (Karney 2013). Raises ValueError as `to_wgs84`."""
    _checked([lon1, lon2], [lat1, lat2])
    return float(GEOD.inv(lon1, lat1, lon2, lat2)[2])


class Plane:
    """A metric plane around a place: transverse Mercator with its axis there.

    Lengths come out too long by x²/2R² at x metres east or west of the axis: 5 cm per kilometre at 64 km,
    less than any phone knows of its place in a city of that width.
    """

    def __init__(self, lon: float, lat: float) -> None:
        self._to = _to_plane(lon, lat)

    def xy(self, coordinates: Any) -> Any:
        """Array (n, 2) of degrees → array (n, 2) of metres."""
        return np.column_stack(self._to.transform(coordinates[:, 0], coordinates[:, 1]))

    def point(self, lon: float, lat: float) -> Any:
        """A position in degrees → a shapely point in metres. Raises ValueError for what is no position."""
        return shapely.Point(*self.xy(np.column_stack(_checked(lon, lat)))[0])

    def geometry(self, shape: Any) -> Any:
        """A shapely geometry in degrees → the same in metres."""
        return shapely.transform(shape, self.xy)


@lru_cache(maxsize=8)
def _to_plane(lon: float, lat: float) -> Transformer:
    """Kept: to make one takes 10 ms, and a city stays where it is whenever its facts are read again."""
    target = f"+proj=tmerc +lat_0={lat} +lon_0={lon} +k=1 +x_0=0 +y_0=0 +ellps=WGS84 +units=m"
    return Transformer.from_crs("EPSG:4326", target, always_xy=True)


def _sound(shapes: Iterable[tuple[str, Any]]) -> tuple[list[str], list[Any]]:
    """Ids and polygons. A broken polygon would give wrong answers in silence, so it is refused."""
    pairs = list(shapes)
    for name, shape in pairs:
        if shape.geom_type not in ("Polygon", "MultiPolygon") or shape.is_empty or not shape.is_valid:
            raise ValueError(f"{name} has no valid polygon: {shapely.is_valid_reason(shape)}")
    return [name for name, _ in pairs], [shape for _, shape in pairs]


def _plane_of(shapes: list[Any]) -> Plane:
    """The plane in the middle of all bounding boxes."""
    west, south, east, north = shapely.total_bounds(shapes) if shapes else (0.0, 0.0, 0.0, 0.0)
    return Plane((west + east) / 2, (south + north) / 2)


def _length(metres: float, name: str) -> float:
    if not (math.isfinite(metres) and metres >= 0):
        raise ValueError(f"{name} must be a finite number of metres, not below zero")
    return metres


@dataclass(frozen=True, slots=True)
class Located:
    """Area of a point (None: outside of all), ids of the areas that its accuracy circle touches in ascending
    order (its own among them), metres to its own area's border (None outside)."""

    area_id: str | None
    near: tuple[str, ...]
    margin_m: float | None


class AreaIndex:
    """Areas (id, polygon in degrees) of one city, ready to be asked about points. Immutable; thread-safe."""

    def __init__(self, areas: Iterable[tuple[str, Any]]) -> None:
        """Raises ValueError for a polygon that is not valid, with its id."""
        self.ids, self._shapes = _sound(areas)
        self._plane = _plane_of(self._shapes)
        self._metric = [self._plane.geometry(shape) for shape in self._shapes]
        self._borders = [shape.boundary for shape in self._metric]
        shapely.prepare(self._shapes)
        shapely.prepare(self._metric)

    def locate(self, lon: float, lat: float, accuracy_m: float = 0.0) -> Located:
        """Which area holds the point (WGS-84), and which its circle of `accuracy_m` touches.

        A point on a common border belongs to the area that was given first. Raises ValueError for what is no
        position or no accuracy.
        """
        point, reach = self._plane.point(lon, lat), _length(accuracy_m, "accuracy")
        held = (n for n, shape in enumerate(self._shapes) if shapely.intersects_xy(shape, lon, lat))
        own = next(held, None)
        touched = [n for n, shape in enumerate(self._metric) if shapely.dwithin(shape, point, reach)]
        near = tuple(sorted({self.ids[n] for n in (*touched, *([] if own is None else [own]))}))
        if own is None:
            return Located(None, near, None)
        return Located(self.ids[own], near, float(shapely.distance(self._borders[own], point)))


class PerimeterIndex:
    """Perimeters (site id, polygon in degrees), asked for the nearest and for all within a radius."""

    def __init__(self, perimeters: Iterable[tuple[str, Any]]) -> None:
        """Raises ValueError for a polygon that is not valid, with its id."""
        self.ids, shapes = _sound(perimeters)
        self._plane = _plane_of(shapes)
        self._metric = np.array([self._plane.geometry(shape) for shape in shapes], dtype=object)
        self._tree = STRtree(self._metric)

    def nearest(self, lon: float, lat: float, limit_m: float = 50_000.0) -> tuple[str, float, bool] | None:
        """(site id, metres, whether inside) of the nearest perimeter within `limit_m`, else None.

        Of two equally near ones the lower id. Raises ValueError for what is no position.
        """
        point, reach = self._plane.point(lon, lat), max(_length(limit_m, "limit"), 1e-9)
        found = self._tree.query_nearest(point, max_distance=reach, return_distance=True)
        ranked = sorted((float(metres), self.ids[n]) for n, metres in zip(*found, strict=True))
        return (ranked[0][1], ranked[0][0], ranked[0][0] == 0.0) if ranked else None

    def within(self, lon: float, lat: float, radius_m: float) -> list[tuple[str, float]]:
        """(site id, metres) of every perimeter within `radius_m`, nearest first; 0 inside."""
        point, reach = self._plane.point(lon, lat), _length(radius_m, "radius")
        hits = self._tree.query(point, predicate="dwithin", distance=reach)
        found = [(self.ids[n], float(shapely.distance(self._metric[n], point))) for n in hits]
        return sorted(found, key=lambda pair: (pair[1], pair[0]))
