"""A request for each operation, made from the contract itself: its path, the headers it needs, the example of its body."""

from typing import Any

from tests import make
from tests.contract import Operation, resolved

NOBODY = "0" * 64
PLACES = {"upload_id": "0" * 40, "bundle_id": "nobody", "rescue_id": "0" * 40, "sha256": NOBODY, "problem_id": "p-nobody:A101", "kind": "problems",
          "number": "XG-2026-999999", "earlier": "QB-2026-9999", "what": "problems", "webhook_id": "nobody", "delivery_id": "nobody", "form": "csv",
          "name": "nobody", "sweep_id": "nobody"}
HEADERS = {
    "Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Offset": "0", "Upload-Metadata": make.metadata(NOBODY),
}  # fmt: skip
FORMS = {"login": "city", "password": "not the password", "csrf": "not the token", "action": "note", "about": "p-none"}


def path_of(operation: Operation, **places: str) -> str:
    """The operation's path with something in each place."""
    return operation.path.format_map(PLACES | places)


def example_of(operation: Operation) -> Any:
    """The JSON body that the contract shows, or None where the operation takes none."""
    content = resolved(operation.spec["requestBody"])["content"] if "requestBody" in operation.spec else {}
    return content.get("application/json", {}).get("example")


def request_of(operation: Operation, **places: str) -> dict[str, Any]:
    """Arguments for a client's `open`: a request that is well formed, about things that do not exist."""
    headers = {
        p["name"]: HEADERS[p["name"]]
        for p in operation.parameters
        if p["in"] == "header" and p.get("required")
    }
    made: dict[str, Any] = {
        "method": operation.method.upper(),
        "path": path_of(operation, **places),
        "headers": headers,
    }
    kinds = resolved(operation.spec["requestBody"])["content"] if "requestBody" in operation.spec else {}
    if "application/json" in kinds:
        made["json"] = example_of(operation)
    elif "application/x-www-form-urlencoded" in kinds:
        fields = kinds["application/x-www-form-urlencoded"]["schema"]["required"]
        made["data"] = {name: FORMS[name] for name in fields}
    elif kinds:
        made |= {"data": b"12345", "content_type": next(iter(kinds))}
    return made
