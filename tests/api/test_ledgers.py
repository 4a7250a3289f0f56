"""GET /v1/ledgers/…: parts that sum to the total along every axis, at every node one may ask for, and at no other."""

import csv
import io
from typing import Any

import pytest

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
@pytest.mark.answers("console.ledger_csv", 404)
def test_a_node_that_is_not_ones_own_is_not_found(world: World, login: str, node: str) -> None:
    for path in ("/v1/ledgers/rollup", "/v1/ledgers/lists/problems", "/ledger.csv"):
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


@pytest.mark.parametrize("login", ["inspector_a", "expert"])
@pytest.mark.answers("ledgers.rollup", 403)
@pytest.mark.answers("ledgers.listed", 403)
@pytest.mark.answers("ledgers.reconcile", 403)
@pytest.mark.answers("console.ledger_csv", 403)
def test_who_works_in_the_field_has_no_ledger(world: World, login: str) -> None:
    for path in ("/v1/ledgers/rollup", "/v1/ledgers/lists/problems", "/v1/ledgers/reconcile", "/ledger.csv"):
        assert told(world.desk(login).get(path)) == (403, "forbidden"), path


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
