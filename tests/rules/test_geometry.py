"""Coordinates, areas and perimeters: published vectors, laws, and hand-made squares. No app, no database."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from backend.geometry import (
    CHINA,
    AreaIndex,
    Crs,
    Located,
    PerimeterIndex,
    distance_m,
    from_wgs84,
    to_wgs84,
)

VECTORS = [
    {name: float(value) for name, value in row.items()}
    for row in csv.DictReader((Path(__file__).parent / "crs_vectors.csv").read_text("utf-8").splitlines())
]
ZHANGDIAN = (118.0448, 36.8070)
SHIFTED = [Crs.GCJ02, Crs.BD09]
LONS, LATS = st.floats(73.0, 135.0), st.floats(4.0, 54.0)


def square(lon: float, lat: float, half: float = 0.01) -> shapely.Polygon:
    """A square in degrees around a place."""
    return shapely.box(lon - half, lat - half, lon + half, lat + half)


def in_china(lon: float, lat: float) -> bool:
    """Whether the shift applies there."""
    return bool(shapely.intersects_xy(CHINA, lon, lat))


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['wgs84_lon']},{row['wgs84_lat']}")
@pytest.mark.parametrize("crs", SHIFTED)
def test_a_published_vector_is_met_within_a_metre_both_ways(row: dict[str, float], crs: Crs) -> None:
    wgs, given_at = (row["wgs84_lon"], row["wgs84_lat"]), (row[f"{crs}_lon"], row[f"{crs}_lat"])
    assert distance_m(*from_wgs84(*wgs, crs), *given_at) < 1.0
    assert distance_m(*to_wgs84(*given_at, crs), *wgs) < 1.0


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['wgs84_lon']},{row['wgs84_lat']}")
def test_the_systems_lie_as_far_apart_as_published(row: dict[str, float]) -> None:
    wgs = (row["wgs84_lon"], row["wgs84_lat"])
    assert distance_m(*wgs, *from_wgs84(*wgs, Crs.GCJ02)) == pytest.approx(row["wgs_gcj_m"], abs=0.2)
    assert distance_m(*wgs, *from_wgs84(*wgs, Crs.BD09)) == pytest.approx(row["wgs_bd_m"], abs=0.2)


@pytest.mark.parametrize("crs", SHIFTED)
def test_the_worst_way_there_and_back_in_china_is_below_a_micrometre(crs: Crs) -> None:
    lon, lat = (axis.ravel() for axis in np.meshgrid(np.arange(72, 136, 0.23), np.arange(3, 54, 0.19)))
    inside = shapely.contains_xy(CHINA, lon, lat)
    lon, lat = lon[inside], lat[inside]
    back = to_wgs84(*from_wgs84(lon, lat, crs), crs)
    worst = np.hypot((back[0] - lon) * np.cos(np.radians(lat)), back[1] - lat).max() * 111_320.0
    assert len(lon) > 20_000
    assert worst < 1e-6


@given(LONS, LATS, st.sampled_from(SHIFTED))
def test_there_and_back_is_the_same_place_in_china(lon: float, lat: float, crs: Crs) -> None:
    if in_china(lon, lat):
        back = to_wgs84(*from_wgs84(lon, lat, crs), crs)
        assert math.hypot(back[0] - lon, back[1] - lat) * 111_320.0 < 1e-6
    else:
        assert from_wgs84(lon, lat, Crs.GCJ02) == (lon, lat)


@given(st.floats(-180, 180), st.floats(-90, 90), st.sampled_from(list(Crs)))
def test_any_position_on_earth_is_answered_and_gcj02_shifts_by_less_than_two_kilometres(
    lon: float, lat: float, crs: Crs
) -> None:
    assert all(math.isfinite(part) for part in (*to_wgs84(lon, lat, crs), *from_wgs84(lon, lat, crs)))
    east, north = to_wgs84(lon, lat, Crs.GCJ02)
    assert abs(east - lon) < 0.02
    assert abs(north - lat) < 0.02


@pytest.mark.parametrize(
    "place",
    [
        (116.40, 39.90), (87.60, 43.80), (126.50, 45.80), (75.99, 39.47), (122.50, 53.00), (109.50, 18.25),
        (91.10, 29.65), (114.17, 22.30), (130.36, 42.86), (124.38, 40.13), (97.85, 24.00), (134.30, 48.36),
    ],
)  # fmt: skip
def test_a_chinese_city_is_shifted_even_at_the_border(place: tuple[float, float]) -> None:
    assert 100 < distance_m(*place, *from_wgs84(*place, Crs.GCJ02)) < 1_000


@pytest.mark.parametrize(
    "place",
    [
        (126.98, 37.57), (139.70, 35.70), (125.75, 39.03), (106.90, 47.90), (105.85, 21.03), (77.20, 28.60),
        (85.30, 27.70), (76.90, 43.25), (131.90, 43.10), (121.00, 14.60), (-70.65, -33.46), (0.0, 0.0),
    ],
)  # fmt: skip
def test_outside_china_gcj02_is_wgs84(place: tuple[float, float]) -> None:
    assert from_wgs84(*place, Crs.GCJ02) == place
    assert to_wgs84(*place, Crs.GCJ02) == place


def test_an_array_gives_what_its_numbers_give_one_by_one() -> None:
    lon, lat = np.array([118.05, 126.98, 91.1]), np.array([36.8, 37.57, 29.65])
    many = to_wgs84(lon, lat, "bd09")
    for n in range(3):
        assert to_wgs84(float(lon[n]), float(lat[n]), "bd09") == (many[0][n], many[1][n])
    assert lon.tolist() == [118.05, 126.98, 91.1], "what is given stays as it is"


def test_a_number_gives_plain_numbers() -> None:
    assert [type(part) for part in to_wgs84(118.05, 36.8, Crs.GCJ02)] == [float, float]


@pytest.mark.parametrize(
    ("lon", "lat", "word"),
    [
        (math.nan, 36.8, "finite"),
        (118.0, math.inf, "finite"),
        (218.0, 36.8, "within"),
        (118.0, 95.0, "within"),
        ([118.0, 119.0], [36.8], "as many"),
    ],
)
def test_what_is_no_position_is_refused_in_words(lon: float, lat: float, word: str) -> None:
    for convert in (to_wgs84, from_wgs84):
        for crs in Crs:
            with pytest.raises(ValueError, match=word):
                convert(lon, lat, crs)


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(ValueError, match="xian80"):
        to_wgs84(118.0, 36.8, "xian80")


def test_a_degree_of_the_equator_has_its_known_length() -> None:
    assert distance_m(0, 0, 1, 0) == pytest.approx(111_319.4908, abs=1e-3)
    assert distance_m(0, 0, 0, 90) == pytest.approx(10_001_965.729, abs=1e-3)


@given(st.tuples(LONS, LATS), st.tuples(LONS, LATS), st.tuples(LONS, LATS))
def test_a_distance_is_the_same_both_ways_and_no_detour_is_shorter(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]
) -> None:
    assert distance_m(*a, *b) == pytest.approx(distance_m(*b, *a), abs=1e-6)
    assert distance_m(*a, *c) <= distance_m(*a, *b) + distance_m(*b, *c) + 1e-6
    assert distance_m(*a, *a) == 0


WEST_EAST = AreaIndex([("west", square(118.00, 36.80)), ("east", square(118.02, 36.80))])


def test_a_point_well_inside_has_one_area_and_its_margin() -> None:
    found = WEST_EAST.locate(118.00, 36.80, 20.0)
    assert (found.area_id, found.near) == ("west", ("west",))
    assert found.margin_m == pytest.approx(distance_m(118.00, 36.80, 118.01, 36.80), rel=1e-3)


def test_a_point_near_the_line_keeps_both_candidates() -> None:
    found = WEST_EAST.locate(118.0099, 36.80, 20.0)
    assert (found.area_id, found.near) == ("west", ("east", "west"))
    assert found.margin_m == pytest.approx(8.9, abs=0.1)
    assert WEST_EAST.locate(118.0099, 36.80, 5.0).near == ("west",)


def test_a_point_on_the_line_belongs_to_the_area_given_first() -> None:
    found = WEST_EAST.locate(118.01, 36.80)
    assert (found.area_id, found.near) == ("west", ("east", "west"))
    assert found.margin_m == pytest.approx(0, abs=1e-3)


def test_a_point_outside_has_no_area_but_may_be_near_one() -> None:
    assert WEST_EAST.locate(118.0302, 36.80, 30.0) == Located(None, ("east",), None)
    assert WEST_EAST.locate(116.4, 39.9, 2_000.0).near == ()


def test_a_point_in_gcj02_lands_in_the_same_area_once_converted() -> None:
    shifted = from_wgs84(118.0112, 36.80, Crs.GCJ02)
    assert WEST_EAST.locate(*to_wgs84(*shifted, Crs.GCJ02)).area_id == "east"
    border = from_wgs84(118.0088, 36.80, Crs.GCJ02)
    assert WEST_EAST.locate(*border).area_id == "east", "unconverted it lands in the wrong one"
    assert WEST_EAST.locate(*to_wgs84(*border, Crs.GCJ02)).area_id == "west"


def test_a_hole_belongs_to_nobody() -> None:
    ring = square(118.0, 36.8).difference(square(118.0, 36.8, 0.005))
    assert AreaIndex([("ring", ring)]).locate(118.0, 36.8).area_id is None
    assert AreaIndex([("ring", ring)]).locate(118.007, 36.8).area_id == "ring"


@given(st.floats(117.97, 118.05), st.floats(36.77, 36.83), st.floats(0, 3_000))
def test_the_own_area_is_always_near_and_a_wider_circle_touches_no_less(
    lon: float, lat: float, accuracy_m: float
) -> None:
    found = WEST_EAST.locate(lon, lat, accuracy_m)
    assert found.area_id is None or found.area_id in found.near
    assert set(found.near) <= set(WEST_EAST.locate(lon, lat, accuracy_m * 2 + 1).near)
    assert (found.area_id is None) == (found.margin_m is None)


@pytest.mark.parametrize(
    ("lon", "accuracy_m"), [(math.nan, 5.0), (200.0, 5.0), (118.0, -1.0), (118.0, math.inf)]
)
def test_an_area_is_not_asked_about_what_is_no_position(lon: float, accuracy_m: float) -> None:
    with pytest.raises(ValueError, match="longitude|accuracy"):
        WEST_EAST.locate(lon, 36.8, accuracy_m)


def test_a_broken_polygon_is_refused_by_its_name() -> None:
    bow = shapely.Polygon([(118, 36), (119, 37), (119, 36), (118, 37)])
    for index in (AreaIndex, PerimeterIndex):
        with pytest.raises(ValueError, match="bow-tie has no valid polygon"):
            index([("bow-tie", bow)])
        with pytest.raises(ValueError, match="dot has no valid polygon"):
            index([("dot", shapely.Point(118, 36))])


SCHOOLS = PerimeterIndex(
    [(f"S{n:02d}", square(118.0 + 0.01 * n, 36.8 + 0.007 * (n % 5), 0.0005)) for n in range(30)]
)


def test_inside_a_perimeter_the_distance_is_nothing() -> None:
    assert SCHOOLS.nearest(118.0002, 36.8001) == ("S00", 0.0, True)
    assert SCHOOLS.within(118.0002, 36.8001, 200.0) == [("S00", 0.0)]


def test_the_distance_is_to_the_wall_and_not_to_the_middle() -> None:
    site_id, metres, is_inside = SCHOOLS.nearest(117.9980, 36.8) or ("", 0.0, True)
    assert (site_id, is_inside) == ("S00", False)
    assert metres == pytest.approx(distance_m(117.9980, 36.8, 117.9995, 36.8), rel=1e-3)


def test_two_hundred_metres_are_two_hundred_metres() -> None:
    degrees = 200.0 / distance_m(118.0005, 36.8, 119.0005, 36.8)
    assert SCHOOLS.within(118.0005 + degrees * 0.999, 36.8, 200.0) == [("S00", pytest.approx(199.8, abs=0.1))]
    assert SCHOOLS.within(118.0005 + degrees * 1.001, 36.8, 200.0) == []


def test_nothing_is_near_beyond_the_limit() -> None:
    assert SCHOOLS.nearest(116.4, 39.9, limit_m=10_000.0) is None
    assert SCHOOLS.nearest(117.9980, 36.8, limit_m=100.0) is None


def test_of_two_equally_near_the_lower_id_is_named() -> None:
    twins = PerimeterIndex([("B", square(118.0, 36.8)), ("A", square(118.0, 36.8))])
    assert twins.nearest(118.0, 36.8) == ("A", 0.0, True)
    assert twins.within(118.0, 36.8, 0.0) == [("A", 0.0), ("B", 0.0)]


def test_an_empty_city_has_no_area_and_no_perimeter() -> None:
    assert AreaIndex([]).locate(*ZHANGDIAN, 10.0).near == ()
    assert PerimeterIndex([]).nearest(*ZHANGDIAN) is None
    assert PerimeterIndex([]).within(*ZHANGDIAN, 200.0) == []


@pytest.mark.parametrize("reach", [-1.0, math.nan, math.inf])
def test_a_radius_that_is_none_is_refused(reach: float) -> None:
    with pytest.raises(ValueError, match="radius"):
        SCHOOLS.within(*ZHANGDIAN, reach)
    with pytest.raises(ValueError, match="limit"):
        SCHOOLS.nearest(*ZHANGDIAN, limit_m=reach)


@given(st.floats(117.9, 118.4), st.floats(36.75, 36.87), st.floats(1, 5_000))
def test_nearest_and_within_agree(lon: float, lat: float, radius_m: float) -> None:
    near, found = SCHOOLS.nearest(lon, lat, limit_m=radius_m), SCHOOLS.within(lon, lat, radius_m)
    assert (near is None) == (found == [])
    assert near is None or (near[0], near[1]) == found[0]
    assert all(metres <= radius_m for _, metres in found)
