"""What holds at every door: paths, methods, HEAD and OPTIONS, languages, codings; and the door that says what is spoken."""

import json

import pytest
from sqlalchemy import select

from backend.feed.models import ServerMeta
from tests.api.asking import path_of, request_of
from tests.cast import World, told
from tests.contract import METHODS, OPERATIONS, Operation, of_path, plain_body

PATHS = sorted({o.path: o for o in OPERATIONS.values()}.values(), key=lambda o: o.path)


@pytest.mark.answers("sync.hello", 200)
def test_hello_says_what_the_server_is_set_to(world: World) -> None:
    answer, config = world.anonymous().get("/sync/v1/hello").json, world.app.extensions["config"]
    assert {name: getattr(config, name) for name in ("max_ops", "max_request_bytes", "max_op_bytes")}.items() <= answer["limits"].items()
    assert world.look(select(ServerMeta.epoch)) == [(answer["epoch"],)]
    assert answer["proto_min"] <= answer["proto_max"] and answer["schema_min"] <= answer["schema_max"]


@pytest.mark.parametrize("path", ["/nowhere", "/sync/v1", "/sync/v2/push", "/v1/", "/v1//map", "/v1/map/", "/static/../app.py", "/static/nothing.css"])
def test_a_path_that_is_not_there_is_not_found(world: World, path: str) -> None:
    answer = world.desk("city").get(path, follow_redirects=False)
    assert told(answer) == (404, "not_found")


@pytest.mark.parametrize("operation", PATHS, ids=lambda o: o.path)
def test_a_method_that_a_path_does_not_have_is_told_those_it_has(world: World, operation: Operation) -> None:
    path = path_of(operation)
    has = {o.method for o in of_path(path)}
    for method in {*METHODS, "trace", "propfind"} - has - {"head", "options"}:
        answer = world.any_phone("inspector_a").ask(method.upper(), path)
        assert told(answer) == (405, "method_not_allowed"), method
        assert has <= {name.strip().lower() for name in answer.headers["Allow"].split(",")}


@pytest.mark.parametrize("operation", [o for o in OPERATIONS.values() if o.method == "get"], ids=lambda o: o.id)
def test_head_tells_what_get_would_without_the_body(world: World, operation: Operation) -> None:
    made = request_of(operation)
    get, head = world.desk("city").open(**made), world.desk("city").open(**made | {"method": "HEAD"})
    assert (head.status_code, head.headers["Content-Type"], head.data) == (get.status_code, get.headers["Content-Type"], b"")


@pytest.mark.parametrize("operation", [o for o in PATHS if o.path != "/sync/v1/blobs"], ids=lambda o: o.path)
def test_options_tells_the_methods_and_allows_no_other_site(world: World, operation: Operation) -> None:
    answer = world.anonymous().options(path_of(operation), headers={"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"})
    assert answer.status_code == 200
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]


ASKED = {"en": "Not found", "en-GB,en;q=0.9": "Not found", "zh-CN": "未找到", "fr": "未找到", "": "未找到", "x;q=?": "未找到"}


@pytest.mark.parametrize(("asked", "title"), ASKED.items())
def test_an_error_has_its_title_in_the_language_that_was_asked_for(world: World, asked: str, title: str) -> None:
    assert world.anonymous().get("/nowhere", headers={"Accept-Language": asked}).json["title"] == title


@pytest.mark.parametrize(("accepted", "coding"), [("gzip", "gzip"), ("zstd, gzip", "zstd"), ("br", None), ("", None), ("identity", None), ("gzip;q=0", None)])
def test_an_answer_is_packed_as_the_asker_can_read_it(world: World, accepted: str, coding: str | None) -> None:
    answer = world.desk("city").get("/v1/map", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == coding and "Accept-Encoding" in answer.headers["Vary"]
    assert json.loads(plain_body(answer.headers, answer.data))["type"] == "FeatureCollection"


@pytest.mark.parametrize("path", ["/v1/map", "/v1/ledgers/rollup", "/sync/v1/hello", "/nowhere", "/"])
def test_nothing_that_was_answered_to_one_is_kept_for_another(world: World, path: str) -> None:
    assert world.desk("city").get(path).headers["Cache-Control"] == "no-store"
