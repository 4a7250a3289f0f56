"""openapi.yaml is the contract: routes ↔ operations both ways, schemas ↔ components, live answers."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from backend.app import create_app
from backend.database import close_app
from backend.inspections.schemas import Submit
from backend.problems.schemas import ProblemOut
from backend.responsibility.schemas import LinkOut
from tests.journeys.stage import Stage, checklist, configure, new_id, stage

CONTRACT = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text(encoding="utf-8"))
METHODS = ("get", "post", "patch", "head", "options", "delete", "put")


def routes(app: Any) -> set[tuple[str, str, str]]:
    """(path, method, endpoint) of every route, as the contract writes them."""
    found = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(rule))
        own = rule.methods - {"HEAD", "OPTIONS"} or (rule.methods - {"OPTIONS"} or rule.methods)
        found |= {(path, method.lower(), rule.endpoint) for method in own}
    return {route for route in found if not route[2].endswith("static")}


def operations() -> set[tuple[str, str, str]]:
    return {
        (path, m, item[m]["operationId"])
        for path, item in CONTRACT["paths"].items()
        for m in METHODS
        if m in item
    }


def test_every_route_is_in_the_contract_and_the_reverse(tmp_path: Path) -> None:
    app = create_app(configure(tmp_path / "data"))
    assert routes(app) == operations()
    app.add_url_rule("/v1/secret", "ops.secret", lambda: "")
    assert routes(app) - operations() == {("/v1/secret", "get", "ops.secret")}
    close_app(app)


@pytest.mark.parametrize(
    ("schema", "name"), [(ProblemOut, "Problem"), (LinkOut, "Link"), (Submit, "Inspection")]
)
def test_marshmallow_schemas_have_the_fields_of_the_contract(schema: Any, name: str) -> None:
    assert set(schema().fields) == set(CONTRACT["components"]["schemas"][name]["properties"])


def check(name: str, answer: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": CONTRACT["components"]}
    jsonschema_rs.validator_for(schema).validate(answer)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    with stage(tmp_path_factory.mktemp("contract")) as made:
        yield made


def test_live_answers_obey_their_schemas(running: Stage) -> None:
    phone = running.device("ins1", "contract")
    page = phone.transport.json("POST", "/sync/v1/pull", {"proto": 1, "cursor": None})
    check("Page", page)
    assert phone.sync(tries=3)
    site = min(task["site"] for task in phone.rows("task"))
    phone.record("inspection.submit", ("inspection", new_id()), checklist(phone, site, {"A101": []}))
    state = phone.store.state()
    assert phone.sync(tries=3)
    problem = phone.rows("problem")[0]
    detail = json.loads(
        phone.transport.raw("GET", f"/v1/problems/{problem['number']}", None, phone.transport.headers())[2]
    )
    check("Problem", detail["problem"])
    layers = [link["layer"] for link in detail["responsibility"]]
    assert layers[0] == "city" and layers[-3:] == ["district", "township", "unit"]
    for link in detail["responsibility"]:
        check("Link", link)
        assert link["reason"]["rule"] and (link["holder"] or link["is_gap"])
    status, _, body = phone.transport.raw(
        "POST",
        "/sync/v1/push",
        json.dumps({"ops": 1, "epoch": state["epoch"]}).encode(),
        phone.transport.headers(),
    )
    assert status == 400
    check("Fault", json.loads(body))
    phone.close()


@pytest.mark.parametrize(("method", "path", "status", "code"), [
    ("GET", "/nowhere", 404, "not_found"), ("GET", "/v1/ops", 405, "method_not_allowed"),
    ("GET", "/v1/ledgers/rollup", 401, "unauthenticated"), ("POST", "/sync/v1/push", 401, "unauthenticated"),
    ("POST", "/sync/v1/enrol", 400, "bad_frame"), ("HEAD", "/sync/v1/blobs/x", 412, None),
])  # fmt: skip
def test_a_bad_request_gets_its_precise_answer(
    running: Stage, method: str, path: str, status: int, code: str | None
) -> None:
    got, _, body = running.server.ask(method, path)
    assert got == status
    if code:
        answer = json.loads(body)
        check("Fault", answer)
        assert answer["code"] == code
