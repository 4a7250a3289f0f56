"""Refusals that many operations share, as one table drawn from the contract: who asks how, and what is answered.

The table is the source of the test (test_refusals.py) and of the check that every documented answer is exercised.
"""

import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from tests.api.asking import example_of, request_of
from tests.cast import World
from tests.contract import OPERATIONS, Operation, resolved

Ask = Callable[[World, Operation], Any]


@dataclass(frozen=True)
class Refusal:
    """One way of asking an operation wrongly."""

    operation: str
    title: str
    status: int
    code: str
    ask: Ask

    def __str__(self) -> str:
        return f"{self.operation}: {self.title}"


def _kinds(operation: Operation) -> set[str]:
    return (
        set(resolved(operation.spec["requestBody"])["content"]) if "requestBody" in operation.spec else set()
    )


def _schemes(operation: Operation) -> set[str]:
    return {name for each in operation.security for name in each}


def _open(world: World, operation: Operation, **more: Any) -> Any:
    """Ask as somebody who may ask this operation: a phone where phones may, else a desk."""
    made = request_of(operation) | more
    made["headers"] = made.get("headers", {}) | request_of(operation)["headers"]
    if "json" in made and "data" in more:
        del made["json"]
    if "device" in _schemes(operation) and "session" not in _schemes(operation):
        return world.any_phone("inspector_a").ask(made.pop("method"), made.pop("path"), **made)
    return (world.desk("city") if _schemes(operation) else world.anonymous()).open(**made)


def _raw(data: bytes, **headers: str) -> Ask:
    sent = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    return lambda world, operation: _open(world, operation, data=data, headers=sent)


def _cut(world: World, operation: Operation) -> Any:
    whole = orjson.dumps(example_of(operation))
    more = {
        "input_stream": io.BytesIO(whole[:-7]),
        "environ_overrides": {"CONTENT_LENGTH": str(len(whole))},
        "content_type": "application/json",
    }
    made = {key: value for key, value in request_of(operation).items() if key != "json"}
    headers = {"Authorization": f"Bearer {world.any_phone('inspector_a').token}"}
    client = world.desk("city") if "session" in _schemes(operation) else world.anonymous()
    return client.open(**{**made, "headers": headers if _schemes(operation) == {"device"} else {}, **more})


def _gbk(world: World, operation: Operation) -> Any:
    text = orjson.dumps({**example_of(operation), "note": "张店区"}).decode()
    return _raw(text.encode("gbk"))(world, operation)


_BODIES: tuple[tuple[str, int, str, Ask], ...] = (
    ("nothing at all", 400, "bad_frame", _raw(b"")),
    ("no JSON", 400, "bad_frame", _raw(b'{"ops": [')),
    ("a list", 400, "bad_frame", _raw(b"[]")),
    ("a body cut short", 400, "bad_frame", _cut),
    ("GBK instead of UTF-8", 400, "bad_frame", _gbk),
    ("UTF-16", 400, "bad_frame", _raw('{"a": 1}'.encode("utf-16"))),
    ("no gzip though it says so", 400, "bad_frame", _raw(b"{}", Content_Encoding="gzip")),
    (
        "gzip without its end",
        400,
        "bad_frame",
        _raw(gzip.compress(b'{"a": "b"}')[:-9], Content_Encoding="gzip"),
    ),
    ("a gzip bomb", 413, "too_large", _raw(gzip.compress(b" " * 40_000_000, 9), Content_Encoding="gzip")),
    ("300 kB", 413, "too_large", _raw(b" " * 300_000)),
    ("a compression nobody speaks", 415, "bad_encoding", _raw(b"{}", Content_Encoding="br")),
)
# An op's body is kept as it is, so a push may be as deep and hold what it likes; the others may not.
_PARSED: tuple[tuple[str, int, str, Ask], ...] = (
    ("nested a thousand deep", 400, "bad_frame", _raw(b'{"a":' * 999 + b"1" + b"}" * 999)),
    ("NUL in a text", 400, "bad_frame", _raw(b'{"a": "\\u0000"}')),
)


def _anonymous(world: World, operation: Operation) -> Any:
    return world.anonymous().open(**request_of(operation))


def _as(token: str) -> Ask:
    def ask(world: World, operation: Operation) -> Any:
        made = request_of(operation)
        return world.anonymous().open(**{**made, "headers": made["headers"] | {"Authorization": token}})

    return ask


def _revoked(world: World, operation: Operation) -> Any:
    made = request_of(operation)
    return world.revoked_phone("inspector_a").ask(made.pop("method"), made.pop("path"), **made)


def _stale_cookie(world: World, operation: Operation) -> Any:
    client = world.anonymous()
    client.set_cookie("huyuan_session", "over")
    return client.open(**request_of(operation))


def _query(query: str) -> Ask:
    return lambda world, operation: world.desk("city").open(**request_of(operation), query_string=query)


def _accept(kind: str) -> Ask:
    return lambda world, operation: _open(world, operation, headers={"Accept": kind})


def _without_tus(world: World, operation: Operation) -> Any:
    made = request_of(operation)
    return world.any_phone("inspector_a").ask(
        made.pop("method"), made.pop("path"), **{**made, "headers": {"Tus-Resumable": "0.2.2"}}
    )


def _of(operation: Operation) -> Iterator[tuple[str, int, str, Ask]]:
    if "application/json" in _kinds(operation):
        yield from _BODIES
        if operation.id != "sync.push":
            yield from _PARSED
    if _schemes(operation):
        yield "nobody", 401, "unauthenticated", _anonymous
        yield "a cookie that is over", 401, "unauthenticated", _stale_cookie
    if "device" in _schemes(operation):
        yield "a token nobody has", 401, "unauthenticated", _as("Bearer hy_dev_nobody")
        yield "a password instead of a token", 401, "unauthenticated", _as("Basic Y2l0eTpwYXNz")
        if not operation.id.startswith("rescue."):  # P89: the last resort stays open to a device that was taken away
            yield "a phone that was reported lost", 401, "device_revoked", _revoked
    if 406 in operation.statuses:
        yield "an answer in XML", 406, "not_acceptable", _accept("application/xml")
    if operation.path.startswith("/v1/"):
        yield "a parameter nobody knows", 400, "bad_request", _query("nod=370303")
    if 412 in operation.statuses:
        yield "another tus", 412, "tus_version", _without_tus


REFUSALS = tuple(Refusal(o.id, *row) for o in OPERATIONS.values() for row in _of(o))
# Whatever needs the database, while there is none, and while its disk is full (test_outage.py).
OUTAGES = tuple((o, status) for o in OPERATIONS.values() for status in (503, 507) if status in o.statuses)
EXERCISED = {(r.operation, r.status) for r in REFUSALS} | {(o.id, status) for o, status in OUTAGES}
