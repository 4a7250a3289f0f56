"""Held here: what a city's folder must be, and that the shipped one is. Never here: a database, an app."""

import csv
import json
import shutil
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from backend.packs import shipped_city
from backend.territory.city_files import MAX_PROBLEMS, City, CityFileError, RowProblem, read_city

CITY_YAML = "adcode: '990100'\nname: {zh: 样例市, en: Sample}\ncode_system: sample-1\n"
BOX = [[[117.0, 36.0], [117.5, 36.0], [117.5, 36.5], [117.0, 36.5], [117.0, 36.0]]]
SMALL = [[[117.10, 36.10], [117.11, 36.10], [117.11, 36.11], [117.10, 36.11], [117.10, 36.10]]]
BOWTIE = [[[117.0, 36.0], [117.5, 36.5], [117.5, 36.0], [117.0, 36.5], [117.0, 36.0]]]
SITE_COLUMNS = "site_id,name,{},district_adcode,township_code9,zone,lon,lat,{}\n"
CSV = {
    "townships.csv": "code9,name,pinyin,district_adcode,kind,seat_lon,seat_lat,seat_quality\n"
    "990101001,东街道（示例）,dong,990101,街道,117.1,36.1,sample\n",
    "zones.csv": "zone,kind,townships,status\n高新区,示例,东街道（示例）,unverified\n",
    "departments.csv": "id,name_zh,name_en\nfire,消防救援支队,Fire and rescue\n",
    "schools.csv": SITE_COLUMNS.format("level,ownership", "students")
    + "S1,一小（示例）,小学,公办,990101,990101001,,117.105,36.105,300\n",
    "hazard_sites.csv": SITE_COLUMNS.format("category,risk", "nearest_school,nearest_school_m")
    + "H1,加油站（示例）,加油站,较大,990101,990101001,高新区,117.2,36.2,S1,355\n",
    "posts.csv": "post_id,layer,area_id,site_id,department_id,title_zh,title_en\n"
    "city,city,990100,,,市,City\ndep,department,990101,,fire,消防,Fire\ndis,district,990101,,,区,District\n"
    "town,township,990101001,,,镇,Township\nunit,unit,,S1,,校,School\n",
    "holders.csv": "post_id,person,from_on,to_on\n"
    "city,甲（示例）,2024-01-01,2024-12-31\ncity,乙（示例）,2025-01-01,\n",
}


def _collection(identity: Mapping[str, Any], ring: Any) -> str:
    feature = {"type": "Feature", **identity, "geometry": {"type": "Polygon", "coordinates": ring}}
    return json.dumps({"type": "FeatureCollection", "features": [feature]})


DISTRICT = {"properties": {"adcode": "990101", "name": "东区（示例）", "name_en": "East District"}}


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    (tmp_path / "city.yaml").write_text(CITY_YAML, encoding="utf-8")
    (tmp_path / "districts.geojson").write_text(_collection(DISTRICT, BOX), encoding="utf-8")
    (tmp_path / "perimeters.geojson").write_text(
        _collection({"id": "S1", "properties": {}}, SMALL), encoding="utf-8"
    )
    for name, text in CSV.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def _add(folder: Path, file: str, line: str) -> None:
    with (folder / file).open("a", encoding="utf-8") as f:
        f.write(line + "\n")


def _faults(folder: Path) -> list[RowProblem]:
    with pytest.raises(CityFileError) as caught:
        read_city(folder)
    return caught.value.problems


@pytest.fixture(scope="module")
def zibo() -> City:
    return read_city(shipped_city("zibo"))


def test_the_shipped_city_is_whole(zibo: City) -> None:
    levels = [row["level"] for row in zibo.areas]
    kinds = [row["kind"] for row in zibo.sites]
    assert (zibo.id, zibo.name_zh, zibo.code_system) == ("370300", "淄博市", "stats-2023-06-30")
    assert [levels.count(level) for level in ("city", "district", "township")] == [1, 8, 88]
    assert [kinds.count(kind) for kind in ("school", "hazard_site")] == [1275, 2000]
    assert len(zibo.departments) == 20


def test_the_shipped_posts_cover_every_layer_of_every_place(zibo: City) -> None:
    layers = [row["layer"] for row in zibo.posts]
    assert {layer: layers.count(layer) for layer in set(layers)} == {
        "city": 1, "department": 20 * 9, "district": 8, "township": 88, "unit": 3275,
    }  # fmt: skip


def test_about_three_in_a_hundred_shipped_posts_show_as_gaps(zibo: City) -> None:
    on = date(2026, 11, 1).isoformat()
    held = {h["post_id"] for h in zibo.holdings if h["from_on"] <= on <= (h["to_on"] or "9999")}
    assert 0.02 < 1 - len(held) / len(zibo.posts) < 0.045


def test_every_shipped_person_is_marked_as_a_sample(zibo: City) -> None:
    assert {h["person"][-4:] for h in zibo.holdings} == {"（示例）"}


def test_every_shipped_school_has_a_perimeter_and_a_path_of_four_steps(zibo: City) -> None:
    schools = [row for row in zibo.sites if row["kind"] == "school"]
    assert all(row["perimeter"]["type"] in ("Polygon", "MultiPolygon") for row in schools)
    assert {row["area_path"].count("/") for row in zibo.sites} == {3}


def test_zone_membership_ships_as_unverified_only(zibo: City) -> None:
    assert {row["status"] for row in zibo.zones} == {"unverified"}


def test_a_sound_folder_becomes_rows(folder: Path) -> None:
    city = read_city(folder)
    school, hazard = city.sites
    assert school["area_path"] == "990100/990101/990101001/S1"
    assert (school["category"], school["attributes"]) == ("小学", {"ownership": "公办", "students": 300})
    assert school["perimeter"]["type"] == "Polygon"
    assert (hazard["zone"], hazard["perimeter"], hazard["attributes"]["nearest_school_m"]) == (
        "高新区",
        None,
        355,
    )
    assert [row["area_path"] for row in city.posts][-1] == school["area_path"]
    assert json.loads(json.dumps(city.body())) == city.body()


@pytest.mark.parametrize(("file", "row", "reason"), [
    ("townships.csv", "990101001,西,xi,990101,镇,117.1,36.1,s", "'990101001' is given twice"),
    ("townships.csv", "990101002,西,xi,990199,镇,117.1,36.1,s", "unknown district '990199'"),
    ("townships.csv", "990101002,西,xi,990101,镇,116.1,36.1,s", "lon 116.1 lies outside"),
    ("schools.csv", "S2,二小,小学,公办,990101,990101009,,117.1,36.1,3", "'990101009' is not in district"),
    ("schools.csv", "S2,二小,小学,公办,990101,990101001,,118.1,36.1,3", "lon 118.1 lies outside"),
    ("schools.csv", "S2,二小,小学,公办,990101,990101001,,nan,36.1,3", "lon nan lies outside"),
    ("schools.csv", "S2,二小,小学,公办,990101,990101001,,117.1,x,3", "lat 'x' is not a number"),
    ("schools.csv", "S2,二小,小学,公办,990101,990101001,,117.1,36.1,many", "students 'many' is not a number"),
    ("schools.csv", "S2,二小,小学,公办,990101,990101001,月球,117.1,36.1,3", "unknown zone '月球'"),
    ("schools.csv", "S2,二小,小学", "more or fewer fields"),
    ("hazard_sites.csv", "S1,同号,超市,一般,990101,990101001,,117.1,36.1,,", "'S1' is given twice"),
    ("hazard_sites.csv", "H2,店,超市,一般,990101,990101001,,117.1,36.1,S9,20", "unknown school 'S9'"),
    ("posts.csv", "p,village,990101,,,村,Village", "unknown layer 'village'"),
    ("posts.csv", "p,district,990199,,,区,District", "unknown place '990199'"),
    ("posts.csv", "p,district,990101001,,,区,District", "layer district does not fit a place"),
    ("posts.csv", "p,unit,,S9,,校,School", "unknown place 'S9'"),
    ("posts.csv", "p,department,990101,,magic,局,Office", "unknown department 'magic'"),
    ("holders.csv", "nobody,丙（示例）,2024-01-01,", "unknown post 'nobody'"),
    ("holders.csv", "dep,丙（示例）,2024-02-30,", "bad date"),
    ("holders.csv", "dep,丙（示例）,2024-02-02,2024-02-01", "to_on is before from_on"),
    ("holders.csv", "city,丙（示例）,2024-12-31,2025-01-01", "overlaps another holder of 'city'"),
    ("holders.csv", ",丙（示例）,2024-12-31,", "post_id is empty"),
])  # fmt: skip
def test_a_broken_row_is_named_with_file_line_and_reason(
    folder: Path, file: str, row: str, reason: str
) -> None:
    line = len((folder / file).read_text(encoding="utf-8").splitlines()) + 1
    _add(folder, file, row)
    (fault,) = _faults(folder)
    assert (fault.file, fault.line) == (file, line)
    assert reason in fault.reason


@pytest.mark.parametrize("file", [*CSV, "city.yaml", "districts.geojson", "perimeters.geojson"])
@pytest.mark.parametrize(("spoil", "reason"), [
    (Path.unlink, "missing"),
    (lambda path: path.write_bytes(path.read_bytes() + "淄博".encode("gb18030")), "not UTF-8"),
])  # fmt: skip
def test_a_file_that_is_missing_or_not_utf8_is_named(
    folder: Path, file: str, spoil: Callable[[Path], Any], reason: str
) -> None:
    spoil(folder / file)
    assert any(fault.file == file and reason in fault.reason for fault in _faults(folder))


def test_a_missing_column_is_named_on_the_header_line(folder: Path) -> None:
    text = CSV["departments.csv"].replace("name_en", "english")
    (folder / "departments.csv").write_text(text, encoding="utf-8")
    first = next(f for f in _faults(folder) if f.file == "departments.csv")
    assert (first.line, first.reason) == (1, "columns are missing: name_en")


@pytest.mark.parametrize(("text", "reason"), [
    (_collection(DISTRICT, BOWTIE), "not a valid polygon"),
    (_collection({"properties": {"name": "无码"}}, BOX), "adcode or name is missing"),
    ('{"type": "FeatureCollection", "features": [7]}', "is not a feature"),
    ("[]", "cannot be read as GeoJSON"),
    ("{", "cannot be read as GeoJSON"),
])  # fmt: skip
def test_a_broken_district_is_named(folder: Path, text: str, reason: str) -> None:
    (folder / "districts.geojson").write_text(text, encoding="utf-8")
    assert any(f.file == "districts.geojson" and reason in f.reason for f in _faults(folder))


def test_a_perimeter_of_no_site_is_named(folder: Path) -> None:
    stray = _collection({"id": "S9", "properties": {}}, SMALL)
    (folder / "perimeters.geojson").write_text(stray, encoding="utf-8")
    assert [f.reason for f in _faults(folder)] == ["perimeter of unknown site 'S9'"]


def test_all_faults_are_collected_up_to_the_cap(folder: Path) -> None:
    for n in range(MAX_PROBLEMS + 20):
        _add(folder, "holders.csv", f"ghost{n},丙（示例）,2024-01-01,")
    assert len(_faults(folder)) == MAX_PROBLEMS


def test_a_byte_order_mark_and_a_line_break_inside_quotes_are_read(folder: Path) -> None:
    text = CSV["departments.csv"] + 'urban,"城市\n管理局",Urban\nhealth,卫健委,Health\n'
    (folder / "departments.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert [row["id"] for row in read_city(folder).departments] == ["fire", "urban", "health"]


def test_one_spoilt_row_of_the_shipped_city_stops_the_whole_load(tmp_path: Path) -> None:
    copy = shutil.copytree(shipped_city("zibo"), tmp_path / "zibo")
    rows = list(csv.reader((copy / "schools.csv").read_text(encoding="utf-8").splitlines()))
    rows[500][5] = "999999999"
    with (copy / "schools.csv").open("w", encoding="utf-8", newline="") as f:
        csv.writer(f).writerows(rows)
    assert [(f.file, f.line) for f in _faults(copy) if f.file == "schools.csv"] == [("schools.csv", 501)]
