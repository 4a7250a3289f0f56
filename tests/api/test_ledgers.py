"""GET /v1/ledgers/…: parts that sum to the total along every axis, at every node one may ask for, and at no other."""

import csv
import html
import io
import re
from typing import Any

import pytest

from backend.now import now_utc
from tests import make
from tests.cast import A_SITE, A_TOWNSHIP, B_SITE, CITY, A, B, World, told
from tests.contract import DOCUMENT

AXES = DOCUMENT["components"]["schemas"]["Axis"]["enum"]
KINDS = ("problems", "responsibilities", "rectifications")
READERS = {"city": CITY, "zhangdian": A, "zichuan": B, "nanding": A_TOWNSHIP, "education": CITY, "kindergarten": A_SITE, "auditor": CITY, "admin": CITY}


@pytest.fixture(scope="module", autouse=True)
def story(world: World) -> dict[str, Any]:
    """Problems in both districts, one in the township and school that have people of their own, one without a place."""
    a, b = world.any_phone("inspector_a"), world.any_phone("inspector_b")
    made = {"a": make.problem(world, a, world.site(A)), "own": make.problem(world, a, A_SITE), "b": make.problem(world, b, B_SITE),
            "schools": make.problem(world, a, world.site(A), "A104")}  # fmt: skip
    a.record("problem.report", ("finding", make.new_id()), make.report(None, fix={"lon": 116.39, "lat": 39.9, "accuracy_m": 5, "crs": "wgs84"}))
    return made


def rollup(world: World, login: str, **more: str) -> Any:
    return world.desk(login).get("/v1/ledgers/rollup", query_string=more)


@pytest.mark.parametrize("by", AXES)
@pytest.mark.parametrize("login", sorted(READERS))
@pytest.mark.answers("ledgers.rollup", 200)
def test_the_parts_sum_to_the_total_along_every_axis(world: World, login: str, by: str) -> None:
    whole, split = rollup(world, login).json, rollup(world, login, by=by).json
    assert whole["node"] == split["node"] == READERS[login]
    for measure in ("found", "open", "overdue", "closed"):
        assert sum(row[measure] for row in split["rows"]) == split["total"][measure] == whole["total"][measure]


@pytest.mark.parametrize(("login", "found"), [("zhangdian", {"a", "own", "schools"}), ("zichuan", {"b"}), ("kindergarten", {"own"}), ("nanding", {"own"})])
def test_each_counts_what_lies_in_their_own_area(world: World, story: dict[str, Any], login: str, found: set[str]) -> None:
    listed = {row["number"] for row in world.desk(login).get("/v1/ledgers/lists/problems").json["rows"]}
    wanted = {story[name].number for name in found}
    assert wanted <= listed and not listed & ({p.number for p in story.values()} - wanted)
    assert rollup(world, login).json["total"]["found"] == len(listed)


def test_what_has_no_place_stands_beside_the_citys_total_and_is_told_to_no_district(world: World) -> None:
    assert rollup(world, "city").json["unplaced"]["reasons"]["outside_city"] == 1
    for login in ("zhangdian", "nanding", "kindergarten"):
        assert rollup(world, login).json["unplaced"] == {"count": 0, "reasons": {}}


@pytest.mark.parametrize(("login", "node"), [("zhangdian", B), ("zhangdian", CITY), ("zhangdian", B_SITE), ("nanding", A),
                                             ("city", "nowhere"), ("city", "370399"), ("city", "' OR 1=1")])  # fmt: skip
@pytest.mark.answers("ledgers.rollup", 404)
@pytest.mark.answers("ledgers.listed", 404)
@pytest.mark.answers("ledgers.rows", 404)
@pytest.mark.answers("console.ledger_csv", 404)
def test_a_node_that_is_not_ones_own_is_not_found(world: World, login: str, node: str) -> None:
    for path in ("/v1/ledgers/rollup", "/v1/ledgers/rows", "/v1/ledgers/lists/problems", "/ledger.csv"):
        assert told(world.desk(login).get(path, query_string={"node": node})) == (404, "not_found"), path


@pytest.mark.parametrize("node", [CITY, A, A_TOWNSHIP, A_SITE])
def test_every_level_below_ones_own_may_be_asked_for(world: World, node: str) -> None:
    assert rollup(world, "city", node=node).json["node"] == node


@pytest.mark.answers("ledgers.rollup", 422)
def test_an_axis_that_does_not_exist_is_named_with_those_that_do(world: World) -> None:
    answer = rollup(world, "city", by="weather")
    assert told(answer) == (422, "invalid") and answer.json["errors"][0]["pointer"] == "?by"


@pytest.mark.answers("ledgers.listed", 404)
def test_a_list_that_does_not_exist_is_not_found(world: World) -> None:
    assert told(world.desk("city").get("/v1/ledgers/lists/rumours")) == (404, "not_found")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.answers("ledgers.listed", 200)
def test_the_three_lists_hold_the_same_problems(world: World, kind: str) -> None:
    numbers = {k: [row["number"] for row in world.desk("city").get(f"/v1/ledgers/lists/{k}").json["rows"]] for k in KINDS}
    assert numbers[kind] and numbers[kind] == numbers["problems"]


@pytest.mark.parametrize("login", sorted(READERS))
@pytest.mark.answers("ledgers.reconcile", 200)
def test_every_total_equals_the_sum_of_its_parts_and_the_recount(world: World, login: str) -> None:
    made = world.desk(login).get("/v1/ledgers/reconcile").json
    assert made["reconciles"] and made["node"] == READERS[login]
    assert {"area", "recount", *AXES[1:]} <= {check["axis"] for check in made["checks"]}


@pytest.mark.parametrize("login", sorted(READERS))
@pytest.mark.answers("ledgers.rows", 200)
def test_each_cell_of_the_area_table_opens_its_rows(world: World, login: str) -> None:
    whole = rollup(world, login).json
    axis = {"city": "district", "district": "township", "township": "school", "site": "school"}[whole["level"]]
    for row in whole["rows"]:
        for measure in ("found", "open", "overdue", "closed"):
            asked = {axis: row["id"], "measure": measure}
            made = world.desk(login).get("/v1/ledgers/rows", query_string=asked).json
            assert made["count"] == len(made["rows"]) == row[measure]


def test_rows_come_in_pages_that_together_are_the_cell(world: World) -> None:
    desk, found, after = world.desk("city"), [], ""
    while after is not None:
        page = desk.get("/v1/ledgers/rows", query_string={"limit": 2, "after": after}).json
        assert len(page["rows"]) <= 2
        found, after = [*found, *(row["id"] for row in page["rows"])], page["next"]
    assert found == sorted(set(found)) and len(found) == page["count"] == rollup(world, "city").json["total"]["found"]
    unplaced = desk.get("/v1/ledgers/rows", query_string={"unplaced": "outside_city"}).json
    assert unplaced["count"] == 1 and unplaced["rows"][0]["district_id"] is None


def instant(world: World) -> str:
    """A moment that is over, to the millisecond: the server's clock has moved on."""
    at = now_utc()
    while now_utc() <= at:
        pass
    return at.isoformat()


def test_what_happens_later_does_not_change_what_was(world: World) -> None:
    before, then = rollup(world, "city").json, instant(world)
    certificate = world.desk("city").get("/v1/ledgers/reconcile", query_string={"as_of": then}).json
    assert certificate["reconciles"]
    late = make.problem(world, world.any_phone("inspector_a"), world.site(A), "A107")
    now, again = rollup(world, "city").json, rollup(world, "city", as_of=then).json
    assert now["total"]["found"] == before["total"]["found"] + 1
    assert again["total"] == before["total"] and again["rows"] == before["rows"] and again["unplaced"] == before["unplaced"]
    assert world.desk("city").get("/v1/ledgers/reconcile", query_string={"as_of": then}).json == certificate
    rows = world.desk("city").get("/v1/ledgers/rows", query_string={"as_of": then}).json
    assert rows["count"] == before["total"]["found"] and late.number not in {row["number"] for row in rows["rows"]}
    assert rollup(world, "zichuan", as_of=then).json["total"]["found"] < before["total"]["found"]


@pytest.mark.parametrize("as_of", ["yesterday", "2026-13-01", "2026-11-24T08:00:00", "2999-01-01", "2999-01-01T00:00:00+08:00"])
@pytest.mark.answers("ledgers.rollup", 422)
@pytest.mark.answers("ledgers.rows", 422)
@pytest.mark.answers("ledgers.reconcile", 422)
def test_what_is_no_moment_or_still_to_come_is_refused(world: World, as_of: str) -> None:
    for path in ("/v1/ledgers/rollup", "/v1/ledgers/rows", "/v1/ledgers/reconcile"):
        answer = world.desk("city").get(path, query_string={"as_of": as_of})
        assert told(answer) == (422, "invalid") and answer.json["errors"][0]["pointer"] == "?as_of"


def test_a_day_before_anything_was_has_nothing(world: World) -> None:
    made = rollup(world, "city", as_of="2001-01-01").json
    assert made["total"]["found"] == 0 and made["as_of"] == "2001-01-01" and made["clock"] == 0


@pytest.mark.parametrize(("name", "value"), [("measure", "rumours"), ("limit", "0"), ("limit", "1001"), ("limit", "x"), ("limit", "1" + "0" * 5000)])
@pytest.mark.answers("ledgers.rows", 422)
def test_rows_are_asked_for_by_a_measure_and_a_length_that_exist(world: World, name: str, value: str) -> None:
    answer = world.desk("city").get("/v1/ledgers/rows", query_string={name: value})
    assert told(answer) == (422, "invalid") and answer.json["errors"][0]["pointer"] == f"?{name}"


@pytest.mark.parametrize("login", ["inspector_a", "expert"])
@pytest.mark.answers("ledgers.rows", 403)
@pytest.mark.answers("ledgers.rollup", 403)
@pytest.mark.answers("ledgers.listed", 403)
@pytest.mark.answers("ledgers.reconcile", 403)
@pytest.mark.answers("console.ledger_csv", 403)
def test_who_works_in_the_field_has_no_ledger(world: World, login: str) -> None:
    for path in ("/v1/ledgers/rollup", "/v1/ledgers/rows", "/v1/ledgers/lists/problems", "/v1/ledgers/reconcile", "/ledger.csv"):
        assert told(world.desk(login).get(path)) == (403, "forbidden"), path


@pytest.mark.parametrize("login", ["city", "zhangdian", "nanding"])
@pytest.mark.answers("console.rows", 200)
def test_each_cell_of_the_start_page_opens_the_rows_that_it_counts(world: World, login: str) -> None:
    desk = world.desk(login)
    cells = re.findall(r'href="(/rows\?[^"]+)">(\d+)</a>', desk.get("/").text)
    assert len(cells) >= 4
    for href, counted in cells:
        page = desk.get(html.unescape(href)).text
        assert len(set(re.findall(r'href="/problem/([^"]+)"', page))) == int(counted), href


@pytest.mark.answers("console.rows", 302, 400, 403, 404, 422)
def test_rows_that_are_nobodys_to_see_or_of_no_cell_are_refused(world: World) -> None:
    desk = world.desk("zhangdian")
    assert desk.get(f"/rows?node={B}").status_code == 404
    assert desk.get("/rows?measure=rumours").status_code == 422
    assert desk.get("/rows?nod=370303").status_code == 400
    assert world.desk("expert").get("/rows").status_code == 403
    assert world.anonymous().get("/rows").headers["Location"] == "/login"


@pytest.mark.answers("console.ledger_csv", 200)
def test_the_table_as_a_file_says_what_the_ledger_says(world: World) -> None:
    answer = world.desk("zhangdian").get("/ledger.csv")
    assert answer.data.startswith(b"\xef\xbb\xbf") and b"\r\n" in answer.data
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    total = next(row for row in rows if row[0] == "合计")
    assert int(total[1]) == rollup(world, "zhangdian").json["total"]["found"]


@pytest.mark.answers("console.ledger_csv", 400)
def test_a_misspelt_parameter_does_not_widen_the_file(world: World) -> None:
    assert told(world.desk("city").get("/ledger.csv?nod=370303")) == (400, "bad_request")
