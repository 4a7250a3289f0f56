"""What an answer must hold before the device touches its state (P11, P20). Shapes only; no decision, no
I/O."""

from collections.abc import Mapping
from typing import Any

from sync_protocol import tables

Members = Mapping[str, type]
PAGE: Members = {
    "rows": list, "drop": list, "reset": list, "acks": list, "cursor": str, "complete": bool, "as_of": int,
    "durable_seq": int,
}  # fmt: skip
NEEDED: Mapping[str, Members] = {
    "hello": {"limits": dict},
    "enrol": {"token": str, "replica": str, "user": dict},
    "replicas": {"replica": str},
    "push": {"results": list, "durable_seq": int},
    "pull": PAGE,
    "query": {"have": list},
    "digest": {"bucket": str},
}
"""Members by the last part of the path; every answer also carries `epoch`."""
ELEMENTS: Mapping[str, Members] = {
    "results": {"op": str, "status": str},
    "acks": {"op": str, "status": str},
    "rows": {"b": str, "t": str, "id": str, "op": str},
    "partial": {"sha256": str},
    "bundles": {"bucket": str, "id": str, "sha256": str},
    "user": {"id": str},
}
PUT: Members = {"ver": int}


def fault_of(path: str, answer: Mapping[str, Any]) -> str | None:
    """Why `answer` to a request to `path` cannot be taken, or None. Unknown members are no fault."""
    fault = _lacks(answer, {"epoch": str, **NEEDED.get(path.rsplit("/", 1)[-1], {})})
    if fault:
        return fault
    for name, members in ELEMENTS.items():
        for element in _elements(answer.get(name)):
            fault = _lacks(element, members) or (_row_fault(element) if name == "rows" else None)
            if fault:
                return f"{name}: {fault}"
    return None


def whole(page: Mapping[str, Any]) -> dict[str, Any]:
    """P40: a page with the rows of its tables among its rows, and what it may lack empty. Raises tables.BadTable."""
    rows = tables.unpack(page.get("tables") or ())
    if fault := next((lack for row in rows if (lack := _lacks(row, ELEMENTS["rows"]) or _row_fault(row))), None):
        raise tables.BadTable(fault)
    told = page.get("checks") or {}
    if not isinstance(told, dict) or not all(isinstance(c, list) and len(c) == 2 for c in told.values()):
        raise tables.BadTable("checks are a count and a sum of each bucket")
    return {**page, "rows": [*page["rows"], *rows], "checks": told, "bundles": page.get("bundles") or []}


def _elements(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _lacks(holder: Any, members: Members) -> str | None:
    if not isinstance(holder, Mapping):
        return "not an object"
    for name, kind in members.items():
        value = holder.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            return f"{name} is missing or of the wrong kind"
    return None


def _row_fault(row: Mapping[str, Any]) -> str | None:
    if row["op"] == "remove":
        return None
    if row["op"] != "put" or "data" not in row:
        return "a row is neither put with data nor remove"
    return _lacks(row, PUT)
