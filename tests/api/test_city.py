"""A city from its files to the record: loaded once, changed where it differs, refused whole where broken."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.access.scope import SYSTEM
from backend.accounts import roster
from backend.accounts.models import Holding
from backend.app import create_app
from backend.cli import setup
from backend.cli.city import load_city
from backend.database import clock, close_app, snapshot
from backend.errors import Problem
from backend.feed.models import FeedRow
from backend.geometry import from_wgs84, to_wgs84
from backend.ops.apply import submit
from backend.ops.models import LoggedOp
from backend.packs import shipped_city
from backend.territory import geo_index
from backend.territory import queries as territory
from backend.territory.city_files import CityFileError, read_city
from tests.journeys.stage import configure

SITE, POST = "ZB-370302-0001", "district-370303"


@dataclass
class Town:
    """A throw-away server with a city that a test may edit."""

    folder: Path

    def edit(self, file: str, before: str, after: str) -> None:
        """Replace a text that is in the file once."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, (file, before)
        path.write_text(text.replace(before, after), encoding="utf-8")

    def line(self, file: str, start: str) -> str:
        """The one line that starts so."""
        text = (self.folder / file).read_text(encoding="utf-8")
        return next(line for line in text.splitlines() if line.startswith(start))

    def load(self) -> dict[str, Any]:
        return load_city(self.folder)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A database with the shipped city, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("city")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HUYUAN_DATA", str(folder))
        config = configure(folder)
        setup.migrate(config)
        app = create_app(config)
        with app.app_context():
            load_city(shipped_city())
        close_app(app)
        yield folder


@pytest.fixture
def town(loaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    monkeypatch.setenv("HUYUAN_DATA", str(tmp_path / "data"))
    shutil.copytree(loaded, tmp_path / "data")
    shutil.copytree(shipped_city(), tmp_path / "city")
    app = create_app(configure(tmp_path / "data"))
    with app.app_context():
        yield Town(tmp_path / "city")
    close_app(app)


def ops_and_clock() -> tuple[int, int]:
    with snapshot() as session:
        return session.scalar(select(func.count()).select_from(LoggedOp)) or 0, clock(session)


def terms(post: str) -> list[tuple[str, date, date | None]]:
    with snapshot() as session:
        rows = session.scalars(select(Holding).where(Holding.post_id == post).order_by(Holding.from_on))
        return [(row.person, row.from_on, row.to_on) for row in rows]


def holder(link: dict[str, str], on: date) -> str | None:
    with snapshot() as session:
        return roster.holders_of(session, [link], on)[0][2]


def test_the_record_holds_what_the_files_hold(town: Town) -> None:
    city = read_city(town.folder)
    with snapshot() as session:
        assert sum(territory.counts(session, SYSTEM).values()) == len(city.sites)
        assert territory.department_ids(session) == {d["id"] for d in city.departments}
        assert {a.id for a in territory.areas(session, SYSTEM, "district")} == {
            a["id"] for a in city.areas if a["level"] == "district"
        }


def test_loading_twice_makes_no_second_op_and_moves_no_clock(town: Town) -> None:
    before = ops_and_clock()
    done = town.load()
    assert done["status"] == "noop"
    assert not any(done["changed"].values())
    assert ops_and_clock() == before


def test_only_the_site_that_differs_is_written(town: Town) -> None:
    town.edit("schools.csv", "昆仑镇中心幼儿园", "昆仑镇第一幼儿园")
    _, before = ops_and_clock()
    done = town.load()
    assert done["status"] == "applied"
    assert {name: n for name, n in done["changed"].items() if n} == {"sites": 1}
    with snapshot() as session:
        site = territory.sites_by_ids(session, SYSTEM, [SITE])[SITE]
        told = session.scalars(select(FeedRow).where(FeedRow.clock > before)).all()
        assert (site.name, site.ver) == ("昆仑镇第一幼儿园", 2)
        assert [(row.bucket, row.id, row.ver) for row in told] == [("district:370302", SITE, 2)]


def test_a_site_that_moves_to_another_district_leaves_the_devices_of_the_old_one(town: Town) -> None:
    line = town.line("schools.csv", SITE)
    other = town.line("schools.csv", "ZB-370303-0001").split(",")
    parts = line.split(",")
    parts[4:6] = other[4:6]
    town.edit("schools.csv", line, ",".join(parts))
    town.load()
    with snapshot() as session:
        rows = session.scalars(select(FeedRow).where(FeedRow.type == "site", FeedRow.id == SITE)).all()
        assert {row.bucket: row.is_member for row in rows} == {
            "district:370302": False,
            "district:370303": True,
        }
        assert territory.site_path(session, SITE) == f"370300/370303/{other[5]}/{SITE}"


def test_a_row_that_the_files_no_longer_have_is_kept_and_counted(town: Town) -> None:
    last = town.line("hazard_sites.csv", "H").split(",")[0]
    town.edit("hazard_sites.csv", town.line("hazard_sites.csv", last) + "\n", "")
    for file in ("posts.csv", "holders.csv"):
        text = (town.folder / file).read_text(encoding="utf-8").splitlines(keepends=True)
        (town.folder / file).write_text("".join(row for row in text if last not in row), encoding="utf-8")
    town.edit("schools.csv", "昆仑镇中心幼儿园", "昆仑镇第一幼儿园")
    assert town.load()["absent"] == {"sites": 1}
    with snapshot() as session:
        assert territory.site_point(session, last) is not None


def test_one_broken_row_is_named_and_nothing_is_loaded(town: Town) -> None:
    town.edit("schools.csv", "昆仑镇中心幼儿园", "昆仑镇第一幼儿园")
    line = town.line("townships.csv", "370302102")
    town.edit("townships.csv", line, line.replace(",370302,", ",999999,"))
    before = ops_and_clock()
    with pytest.raises(CityFileError) as broken:
        town.load()
    assert ("townships.csv", "unknown district '999999'") in {
        (p.file, p.reason) for p in broken.value.problems
    }
    assert ops_and_clock() == before


def test_a_city_by_op_with_a_column_too_many_is_refused_whole(town: Town) -> None:
    body = read_city(town.folder).body()
    sites = [{**site, "owner": "?"} for site in body["sites"]]
    with pytest.raises(Problem, match="unknown or missing columns: owner"):
        submit("city.load", {**body, "sites": sites}, SYSTEM, ent=("city", body["id"]))


def test_a_term_that_ended_in_the_files_ends_in_the_record_and_the_next_begins(town: Town) -> None:
    line = town.line("holders.csv", f"{POST},")
    first, start = line.split(",")[1:3]
    town.edit("holders.csv", line, f"{POST},{first},{start},2026-05-31\n{POST},接任人（示例）,2026-06-01,")
    done = town.load()
    assert (done["status"], done["changed"]["holdings"]) == ("applied", 2)
    link = {"layer": "district", "area_id": "370303", "department_id": ""}
    assert holder(link, date(2026, 5, 31)) == first
    assert holder(link, date(2026, 6, 1)) == "接任人（示例）"
    assert town.load()["status"] == "noop"


def test_a_post_taken_over_at_the_desk_is_not_undone_by_loading_the_same_files(town: Town) -> None:
    args = {"person": "接任人（示例）", "from_on": "2026-06-01"}
    submit("post.hold", args, SYSTEM, ent=("post", POST))
    before = terms(POST)
    assert [term[2] for term in before] == [date(2026, 5, 31), None]
    assert town.load()["status"] == "noop"
    assert terms(POST) == before


def test_files_that_would_give_a_post_two_holders_are_refused_with_its_name(town: Town) -> None:
    submit("post.hold", {"person": "接任人（示例）", "from_on": "2026-06-01"}, SYSTEM, ent=("post", POST))
    line = town.line("holders.csv", f"{POST},")
    person, start = line.split(",")[1:3]
    town.edit("holders.csv", line, f"{POST},{person},{start},2026-06-30\n{POST},另一人（示例）,2026-07-01,")
    before = terms(POST)
    with pytest.raises(Problem, match=f"two holders at once: {POST} from 2026-07-01"):
        town.load()
    assert terms(POST) == before


def test_a_vacant_post_is_a_gap_with_its_title_and_a_missing_one_is_nothing(town: Town) -> None:
    city = read_city(town.folder)
    held = {h["post_id"] for h in city.holdings}
    vacant = next(p for p in city.posts if p["id"] not in held and p["layer"] == "unit")
    links = [
        {"layer": "unit", "site_id": vacant["site_id"], "department_id": ""},
        {"layer": "district", "area_id": "370399", "department_id": ""},
    ]
    with snapshot() as session:
        found = roster.holders_of(session, links, date(2026, 4, 1))
    assert found == [(vacant["id"], vacant["title_zh"], None), (None, None, None)]


def test_a_point_in_gcj02_lands_where_the_same_point_in_wgs84_does(town: Town) -> None:
    with snapshot() as session:
        site = territory.site_point(session, "ZB-370303-0001")
        assert site is not None
        given = [float(v) for v in from_wgs84(site["lon"], site["lat"], "gcj02")]
        plain = geo_index.locate_point(session, site["lon"], site["lat"], 5)
        wrong = geo_index.locate_point(session, given[0], given[1], 5)
        right = geo_index.locate_point(session, *(float(v) for v in to_wgs84(given[0], given[1], "gcj02")), 5)
    assert (plain["district_id"], plain["nearest_school_m"]) == ("370303", 0)
    assert right == plain
    assert wrong["nearest_school_m"] != 0, "a shift of hundreds of metres must show where nobody undoes it"
    assert [step["step"] for step in plain["reasons"]] == ["district", "township"]


def test_a_point_outside_the_city_has_no_district_and_no_township(town: Town) -> None:
    with snapshot() as session:
        found = geo_index.locate_point(session, 116.4, 39.9)
    assert (found["district_id"], found["township_id"], found["area_path"]) == (None, None, "370300/-")


def test_places_follow_a_new_load_in_the_same_process(town: Town) -> None:
    with snapshot() as session:
        assert territory.site_point(session, SITE)["lon"] == pytest.approx(117.914128)  # type: ignore[index]
    town.edit("schools.csv", "117.914128,36.56668", "117.914500,36.56668")
    town.load()
    with snapshot() as session:
        assert territory.site_point(session, SITE)["lon"] == pytest.approx(117.9145)  # type: ignore[index]
