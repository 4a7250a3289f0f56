"""The contract is whole: routes ↔ operations, schemas ↔ components, every documented answer exercised, every example true.

The fourth check, that each exchange is as documented, runs in the client of every test (tests/contract.py).
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from backend import __version__
from backend.app import create_app
from backend.config import Config
from backend.database import close_app
from backend.errors import CODES, RETRYABLE
from backend.notices.schemas import Read
from backend.ops.schemas import DeskOp
from backend.ops.table import VERBS
from backend.problems.schemas import ConflictOut, LineOut, ProblemOut
from backend.responsibility.schemas import LinkOut
from backend.sync import schemas as sync
from backend.sync.entities import KINDS
from sync_protocol.limits import REASONS, STATUSES
from sync_protocol.problems import PROBLEMS
from tests.api.refusals import EXERCISED
from tests.architecture import shapes
from tests.contract import DOCUMENT, OPERATIONS, Operation, resolved, schema_faults

TESTS = Path(__file__).parents[1]
SCHEMAS = DOCUMENT["components"]["schemas"]
IN = {
    name: getattr(sync, name)() for name in ("Enrol", "Register", "Pull", "OpsStatus", "BlobsQuery", "Wanted", "Digest", "Report")
}
IN |= {"Read": Read()}
IN |= {name: verb.schema for name, verb in VERBS.items()}
OUT = {"feed.problem": ProblemOut(), "Link": LinkOut(), "HistoryLine": LineOut(), "Conflict": ConflictOut()}


# ---- routes ↔ operations


def routes(app: Flask) -> set[tuple[str, str, str]]:
    """(path, method, endpoint) of every route, as the contract writes them; HEAD and OPTIONS where nothing else is."""
    found = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(rule))
        own = rule.methods - {"HEAD", "OPTIONS"} or (rule.methods - {"OPTIONS"} or rule.methods)
        found |= {(path, method.lower(), rule.endpoint) for method in own}
    return {route for route in found if not route[2].endswith("static")}


def operations() -> set[tuple[str, str, str]]:
    return {(o.path, o.method, o.id) for o in OPERATIONS.values()}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    made = create_app(Config(tmp_path, f"sqlite:///{tmp_path / 'x.db'}", "for-tests-only"))
    yield made
    close_app(made)


def test_every_route_is_in_the_contract_and_the_reverse(app: Flask) -> None:
    assert routes(app) == operations()


def test_a_route_that_the_contract_lacks_is_caught(app: Flask) -> None:
    app.add_url_rule("/v1/secret", "ops.secret", lambda: "")
    assert routes(app) - operations() == {("/v1/secret", "get", "ops.secret")}


# ---- schemas ↔ components


@pytest.mark.parametrize("name", sorted(IN))
def test_what_a_schema_takes_is_what_the_contract_says(name: str) -> None:
    assert shapes.differences(shapes.of_schema(IN[name]), shapes.of_contract(name)) == []


@pytest.mark.parametrize("name", sorted(OUT))
def test_what_a_schema_gives_is_what_the_contract_says(name: str) -> None:
    given = shapes.of_schema(OUT[name])
    given |= {"required": sorted(OUT[name].fields)}  # what is dumped is always there
    given.pop("additionalProperties")  # says what is taken, not what is given
    assert shapes.differences(given, shapes.of_contract(name)) == []


def test_the_op_of_a_desk_is_what_the_contract_says() -> None:
    ours, theirs = shapes.of_schema(DeskOp()), shapes.of_contract("DeskOp")
    assert theirs["properties"]["base"].pop("oneOf")[0] == {"type": "null"}
    ours["properties"]["op"]["pattern"] = "^[!-~]+$"
    del ours["properties"]["base"]
    del theirs["properties"]["base"], theirs["allOf"]
    assert shapes.differences(ours, theirs) == []


def test_each_verb_and_each_type_of_the_feed_has_its_schema_and_no_more() -> None:
    branches = {
        b["if"]["properties"]["verb"]["const"]: b["then"]["properties"]["args"]["$ref"]
        for b in SCHEMAS["DeskOp"]["allOf"]
    }
    assert branches == {verb: f"#/components/schemas/{verb}" for verb in VERBS}
    rows = [row["properties"] for row in SCHEMAS["Row"]["oneOf"] if "data" in row["properties"]]
    assert {row["t"]["const"]: row["data"]["$ref"] for row in rows} == {
        t: f"#/components/schemas/feed.{t}" for t in KINDS
    }


def test_the_words_of_the_protocol_are_those_of_the_contract() -> None:
    assert SCHEMAS["Status"]["enum"] == list(STATUSES) and SCHEMAS["Reason"]["enum"] == list(REASONS)
    assert set(SCHEMAS["Code"]["enum"]) == set(CODES)
    assert {code: CODES[code][0] for code in PROBLEMS} == {code: p.status for code, p in PROBLEMS.items()}
    assert {code for code in PROBLEMS if code in RETRYABLE} == {
        code for code, p in PROBLEMS.items() if p.is_retryable
    }
    assert DOCUMENT["info"]["version"] == __version__


def test_a_schema_that_departs_from_the_contract_is_caught() -> None:
    theirs = shapes.of_contract("problem.assign")
    theirs["properties"]["note"]["maxLength"] = 40
    theirs["required"] = []
    found = shapes.differences(shapes.of_schema(VERBS["problem.assign"].schema), theirs)
    assert [fault.split(":")[0] for fault in found] == ["/properties/note/maxLength", "/required"]


# ---- the document itself


def media(operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, media type object) of everything that an operation takes and gives."""
    if "requestBody" in operation.spec:
        for kind, found in resolved(operation.spec["requestBody"])["content"].items():
            yield f"{operation.id} takes {kind}", found
    for status, response in operation.spec["responses"].items():
        for kind, found in resolved(response).get("content", {}).items():
            yield f"{operation.id} {status} {kind}", found


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda o: o.id)
def test_each_example_obeys_its_schema(operation: Operation) -> None:
    for where, found in media(operation):
        if "example" in found:
            assert schema_faults(found["schema"], found["example"], " takes " not in where) == [], where


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda o: o.id)
def test_an_operation_says_what_it_is_and_each_status_apart(operation: Operation) -> None:
    assert operation.spec["summary"] and operation.spec["tags"]
    assert all(re.fullmatch(r"\d{3}", status) for status in operation.spec["responses"]), (
        "no `default`: it would allow everything"
    )
    assert all(resolved(response)["description"] for response in operation.spec["responses"].values())
    assert set(re.findall(r"{(\w+)}", operation.path)) == {
        p["name"] for p in operation.parameters if p["in"] == "path"
    }


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    text = json.dumps(DOCUMENT)
    named = set(re.findall(r'"\$ref": "#/components/(\w+)/([\w.-]+)"', text))
    there = {
        (kind, name)
        for kind, found in DOCUMENT["components"].items()
        if kind != "securitySchemes"
        for name in found
    }
    assert named == there


# ---- every documented answer is exercised


def marked() -> set[tuple[str, int]]:
    """(operation, status) of every `answers` mark in the tests; conftest holds each test to its mark."""
    found = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.answers":
                operation, *statuses = (ast.literal_eval(each) for each in node.args)
                found |= {(operation, status) for status in statuses}
    return found


def documented() -> set[tuple[str, int]]:
    return {(o.id, status) for o in OPERATIONS.values() for status in o.statuses}


def test_every_documented_answer_is_had_by_a_test() -> None:
    assert documented() - marked() - EXERCISED == set()
