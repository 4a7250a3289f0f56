"""The examples of PROTOCOL.md are what they seem: each fits the contract, and together they follow the rules."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sync_protocol import identity, replica
from sync_protocol.client.answers import whole
from tests.contract import operation_of, resolved, schema_faults

TEXT = (Path(__file__).parents[2] / "PROTOCOL.md").read_text(encoding="utf-8")
FOUND = re.findall(r"`(POST) (/sync/v1/\S+)` asks\n\n```json\n(.*?)```\n\nand is answered\n\n```json\n(.*?)```", TEXT, re.S)
EXAMPLES = {path: (json.loads(asked), json.loads(answered)) for _, path, asked, answered in FOUND}


def schema_of(holder: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = resolved(holder)["content"]["application/json"]["schema"]
    return found


def test_the_document_shows_the_exchanges_that_a_client_begins_with() -> None:
    assert {"/sync/v1/push", "/sync/v1/pull", "/sync/v1/ops/status"} <= set(EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_fits_the_contract(path: str) -> None:
    operation, (asked, answered) = operation_of("post", path), EXAMPLES[path]
    assert operation is not None
    assert schema_faults(schema_of(operation.spec["requestBody"]), asked, is_answer=False) == []
    assert schema_faults(schema_of(operation.spec["responses"]["200"]), answered, is_answer=True) == []


def test_a_device_that_says_what_is_asked_gets_where_the_answers_say() -> None:
    (pushed, results), (pulled, page) = EXAMPLES["/sync/v1/push"], EXAMPLES["/sync/v1/pull"]
    state, body = replica.fresh(pushed["replica"], pushed["epoch"]), pushed["ops"][0]["body"]
    op = json.loads(body)
    replica.record(state, op["op"], body, f"{op['ent']['t']}:{op['ent']['id']}")
    assert replica.wire(state, 100) == pushed["ops"]
    head = identity.chain_head(identity.GENESIS, pushed["replica"], 1, identity.fingerprint(body))
    assert (results["head"], results["next_seq"]) == (state["head"], state["next_seq"]) == (head, 2)
    assert replica.unacked(state, 200) == pulled["unacked"]
    replica.take_acks(state, results["results"], results["durable_seq"])
    assert (state["outbox"], state["acked"][0]["status"]) == ([], "applied")
    replica.take_page(state, whole(page), pulled["unacked"])
    assert state["cursor"] == page["cursor"] and list(state["base"]) == ["area:370300"]
    assert page["acks"] == EXAMPLES["/sync/v1/ops/status"][1]["ops"]
