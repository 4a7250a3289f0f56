"""openapi.yaml as a judge: one HTTP exchange is held against it, and remembered. Only tests run this.

Rules. Whatever is asked, the operation must say the status, and the answer's media type, headers and body must be as it says;
a member of an answer that it does not name is a fault too. What was answered below 400 must have been asked as it says: so a
contract that promises stricter refusals than the server makes fails as well. Unknown paths are 404, unknown methods 405 with Allow.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import jsonschema_rs
import yaml
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from backend.errors import CODES
from sync_protocol import tables
from sync_protocol.client.codings import unpack
from sync_protocol.client.transport import Transport

PATH = Path(__file__).parents[1] / "openapi.yaml"
DOCUMENT: dict[str, Any] = yaml.load(PATH.read_text(encoding="utf-8"), yaml.CSafeLoader)
MAX_BODY_BYTES = 64 * 1024 * 1024
METHODS = ("get", "post", "patch", "head", "options", "delete", "put")
PROBLEM = "application/problem+json"
SEEN: list[tuple[str, int]] = []  # (operationId, status) of every exchange so far


@dataclass(frozen=True)
class Operation:
    """One operation of the contract. `at` is where it stands in the document."""

    id: str
    method: str
    path: str
    spec: Mapping[str, Any]
    pattern: re.Pattern[str]

    @property
    def statuses(self) -> set[int]:
        return {int(status) for status in self.spec["responses"]}

    @property
    def parameters(self) -> list[dict[str, Any]]:
        return [
            resolved(p)
            for p in (*DOCUMENT["paths"][self.path].get("parameters", ()), *self.spec.get("parameters", ()))
        ]

    @property
    def security(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.spec.get("security", DOCUMENT["security"])
        return found


@dataclass(frozen=True)
class Exchange:
    """What was asked and what was answered. `target` is path and query; bodies are as sent."""

    method: str
    target: str
    sent: Headers
    body: bytes
    status: int
    got: Headers
    answer: bytes


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a node's `$ref` stands for (references of the document's own parts, not of schemas)."""
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def _pattern(path: str, item: Mapping[str, Any]) -> re.Pattern[str]:
    slashed = {p["name"] for p in map(resolved, item.get("parameters", ())) if p.get("x-slashes")}
    parts = re.split(r"{(\w+)}", path)
    made = [
        re.escape(part) if n % 2 == 0 else f"(?P<{part}>{'.+' if part in slashed else '[^/]+'})"
        for n, part in enumerate(parts)
    ]
    return re.compile("".join(made), re.DOTALL)


def _operations() -> Iterator[Operation]:
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield Operation(item[method]["operationId"], method, path, item[method], _pattern(path, item))


OPERATIONS: dict[str, Operation] = {operation.id: operation for operation in _operations()}


def of_path(path: str) -> list[Operation]:
    """The operations that a path can mean, those of the plainer template first (as the server routes)."""
    return sorted((o for o in OPERATIONS.values() if o.pattern.fullmatch(path)), key=lambda o: o.path.count("{"))


def operation_of(method: str, path: str) -> Operation | None:
    """The operation, or None; HEAD is answered wherever GET is."""
    by_method = {o.method: o for o in reversed(of_path(path))}
    return by_method.get(method.lower()) or (by_method.get("get") if method == "HEAD" else None)


# ---- schemas


def closed(node: Any) -> Any:
    """The document with every object closed that names its members: for answers, where an unnamed member is a fault."""
    if isinstance(node, list):
        return [closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: closed(value) for key, value in node.items()}
    is_open = isinstance(node.get("properties"), dict) and not {
        "$ref",
        "allOf",
        "additionalProperties",
    } & set(node)
    return {**made, "additionalProperties": False} if is_open and node.get("type") == "object" else made


@cache
def _components(is_answer: bool) -> dict[str, Any]:
    components = {"schemas": copy.deepcopy(DOCUMENT["components"]["schemas"])}
    made: dict[str, Any] = closed(components) if is_answer else components
    return made


@cache
def _validator(schema: str, is_answer: bool) -> Any:
    parsed = json.loads(schema)
    whole = {**(closed(parsed) if is_answer else parsed), "components": _components(is_answer)}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def schema_faults(schema: Mapping[str, Any], value: Any, is_answer: bool) -> list[str]:
    """Why `value` does not fit a schema of the document, place by place."""
    found = _validator(json.dumps(schema, sort_keys=True), is_answer).iter_errors(value)
    return [f"/{'/'.join(map(str, e.instance_path))}: {e.message[:300]}" for e in found]


# ---- an exchange


def faults(exchange: Exchange) -> list[str]:
    """Everything in which an exchange departs from the contract."""
    path = unquote(urlsplit(exchange.target).path)
    operation = operation_of(exchange.method, path)
    if _is_page_of_a_fault(exchange, path):
        return _always(exchange)
    if operation is None:
        return _universal(exchange, path)
    if exchange.status not in operation.statuses:
        return [f"status {exchange.status} is not documented: {exchange.answer[:300]!r}"]
    response = resolved(operation.spec["responses"][str(exchange.status)])
    found = [*_headers(response, exchange), *_answer(response, exchange), *_always(exchange)]
    return found if exchange.status >= 400 else [*found, *_request(operation, exchange, path)]


def _is_page_of_a_fault(exchange: Exchange, path: str) -> bool:
    """A browser is told of an error by a page (info.description): the same status, HTML instead of problem+json."""
    is_page = exchange.got.get("Content-Type", "").startswith("text/html") and b'id="fault"' in exchange.answer
    is_asked = "text/html" in exchange.sent.get("Accept", "")
    return exchange.status >= 400 and is_page and is_asked and not path.startswith(("/v1/", "/sync/"))


def check(exchange: Exchange) -> None:
    """Remember an exchange, and raise AssertionError where it departs from the contract."""
    path = unquote(urlsplit(exchange.target).path)
    if path.startswith("/static/"):
        return
    operation = operation_of(exchange.method, path)
    found = faults(exchange)
    assert not found, f"{exchange.method} {exchange.target} → {exchange.status}\n" + "\n".join(found)
    if operation is not None:
        SEEN.append((operation.id, exchange.status))


def _universal(exchange: Exchange, path: str) -> list[str]:
    methods = {o.method.upper() for o in of_path(path)}
    if methods and exchange.method == "OPTIONS":
        allowed = set(exchange.got.get("Allow", "").replace(" ", "").split(","))
        return (
            []
            if exchange.status == 200 and methods <= allowed
            else [f"OPTIONS says Allow {allowed}, the contract {methods}"]
        )
    expected = 405 if methods else 404
    if exchange.status != expected:
        return [f"not in the contract, answered {exchange.status} instead of {expected}"]
    found = _always(exchange) + _problem(exchange)
    return found if expected == 404 or exchange.got.get("Allow") else [*found, "405 without Allow"]


def _always(exchange: Exchange) -> list[str]:
    wanted = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
    found = [
        f"{name} is {exchange.got.get(name)!r}"
        for name, value in wanted.items()
        if exchange.got.get(name) != value
    ]
    return (
        found
        if "default-src 'self'" in exchange.got.get("Content-Security-Policy", "")
        else [*found, "no content policy"]
    )


def _headers(response: Mapping[str, Any], exchange: Exchange) -> list[str]:
    found = []
    for name, header in response.get("headers", {}).items():
        spec, value = resolved(header), exchange.got.get(name)
        if value is None:
            found += [f"answer without {name}"] if spec.get("required") else []
        else:
            found += [
                f"{name} {fault}"
                for fault in schema_faults(spec["schema"], _plain(spec["schema"], value), True)
            ]
    return found


def _answer(response: Mapping[str, Any], exchange: Exchange) -> list[str]:
    content = response.get("content")
    if exchange.method == "HEAD" or exchange.status == 304:
        return ["a body where there may be none"] if exchange.answer else []
    if not content:
        return [f"a body where none is documented: {exchange.answer[:100]!r}"] if exchange.answer else []
    kind = exchange.got.get("Content-Type", "").split(";")[0]
    if kind not in content:
        return [f"answered as {kind!r}, documented are {sorted(content)}"]
    if not kind.endswith("json") or kind.endswith("ndjson"):
        return []
    value = json.loads(plain_body(exchange.got, exchange.answer))
    found = _problem(exchange) if kind == PROBLEM else []
    if isinstance(value, dict) and "tables" in value:  # what is packed must be rows of the contract too
        rows = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}
        found += schema_faults(rows, tables.unpack(value["tables"]), True)
    return [*found, *schema_faults(content[kind]["schema"], value, True)]


def _problem(exchange: Exchange) -> list[str]:
    if exchange.method == "HEAD":
        return []
    if exchange.got.get("Content-Type", "").split(";")[0] != PROBLEM:
        return ["an error that is no problem+json"]
    told = json.loads(exchange.answer)
    found = schema_faults({"$ref": "#/components/schemas/Fault"}, told, True)
    is_true = (
        exchange.status == told["status"] == CODES[told["code"]][0]
        and told["type"] == f"/problems/{told['code']}"
    )
    return found if is_true else [*found, f"status, type and code disagree: {told}"]


def _request(operation: Operation, exchange: Exchange, path: str) -> list[str]:
    """What was taken must have been asked as the contract says."""
    found = _parameters(operation, exchange, path)
    if operation.security and not (
        exchange.sent.get("Authorization") or "huyuan_session=" in exchange.sent.get("Cookie", "")
    ):
        found.append("answered without credentials")
    if "requestBody" not in operation.spec:
        return found
    body = resolved(operation.spec["requestBody"])
    kind = exchange.sent.get("Content-Type", "").split(";")[0]
    if not (body.get("required", False) or kind or exchange.body):
        return found
    if body.get("x-any-media-type") and kind not in body["content"]:
        kind = next(iter(body["content"]))
    if kind not in body["content"]:
        return [*found, f"taken as {kind!r}, documented are {sorted(body['content'])}"]
    if kind == "application/json":
        found += schema_faults(
            body["content"][kind]["schema"], json.loads(plain_body(exchange.sent, exchange.body)), False
        )
    return found


def _parameters(operation: Operation, exchange: Exchange, path: str) -> list[str]:
    match = operation.pattern.fullmatch(path)
    places = {"path": match.groupdict() if match else {}, "header": exchange.sent,
              "query": dict(parse_qsl(urlsplit(exchange.target).query, keep_blank_values=True))}  # fmt: skip
    found = []
    for parameter in operation.parameters:
        name, value = parameter["name"], places[parameter["in"]].get(parameter["name"])
        if value is None:
            found += [f"taken without {name}"] if parameter.get("required") else []
        else:
            found += [
                f"{name} {fault}"
                for fault in schema_faults(parameter["schema"], _plain(parameter["schema"], value), False)
            ]
    known = {p["name"] for p in operation.parameters if p["in"] == "query"}
    if path.startswith("/v1/"):
        found += [f"parameter {name} was ignored" for name in places["query"] if name not in known]
    return found


def _plain(schema: Mapping[str, Any], value: str) -> Any:
    return int(value) if schema.get("type") == "integer" and value.isdigit() else value


def plain_body(headers: Mapping[str, str], body: bytes) -> bytes:
    """A body without its Content-Encoding."""
    return unpack(headers.get("Content-Encoding", "identity"), body, MAX_BODY_BYTES)


# ---- clients


class Client(FlaskClient):
    """Flask's test client whose every exchange is held against the contract."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        answer = super().open(*args, **kwargs)
        request = answer.request
        stream = request.environ["wsgi.input"]
        body = b""
        if stream.seekable():
            stream.seek(0)
            body = stream.read()
        target = f"{quote(request.path)}?{request.query_string.decode('latin-1')}"
        data = answer.get_data()
        answer.close()  # a file that is sent is open until then
        got = (answer.status_code, answer.headers, data)
        check(Exchange(request.method, target, Headers(request.headers), body, *got))
        return answer


class CheckedTransport(Transport):
    """The reference client's HTTP, held against the contract. An exchange that failed is judged by the client itself."""

    def raw(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, Any, bytes]:
        status, got, data = super().raw(method, path, body, headers)
        check(
            Exchange(
                method,
                path,
                Headers(list(headers.items())),
                body or b"",
                status,
                Headers(list(got.items())),
                data,
            )
        )
        return status, got, data
