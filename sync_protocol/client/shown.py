"""What an installation shows to people: rows, own ops that they do not show yet, how things stand. Reads only."""

from typing import Any

import orjson

from sync_protocol import replica
from sync_protocol.client.store import ClientStore


def rows(store: ClientStore, kind: str) -> list[dict[str, Any]]:
    """Rows of one type as the server last told them."""
    base = store.state("base").get("base", {})
    return [row["data"] for key, row in base.items() if key.startswith(f"{kind}:")]


def pending(store: ClientStore, kind: str) -> dict[str, list[dict[str, Any]]]:
    """{entity id: own op bodies that its row does not show yet, in order} (P23), to lay over `rows`."""
    state = store.state("base", "outbox", "acked")
    keys = {k["ent"] for k in (*state["acked"], *state["outbox"]) if k["ent"].startswith(f"{kind}:")}
    own = {key.partition(":")[2]: replica.pending(state, key) for key in sorted(keys)}
    return {ent: [orjson.loads(k["body"]) for k in kept] for ent, kept in own.items() if kept}


def status(store: ClientStore) -> dict[str, Any]:
    """What is here and what is there. Works before enrolment too."""
    state = store.state()
    acked = state.get("acked", [])
    parked = [
        {"op": k["op"], "status": k["status"], "reason": k.get("reason")}
        for k in acked
        if k["status"] not in replica.DECIDED
    ]
    aside = [{"op": k["op"], "reason": k["reason"], "bytes": len(k["body"])} for k in state.get("aside", [])]
    return {
        "enrolled": "replica" in state, "outbox": len(state.get("outbox", [])), "acked": len(acked),
        "parked": parked, "set_aside": aside, "photos_waiting": len(store.waiting()),
        "photos_damaged": store.damaged(), "rows": len(state.get("base", {})),
        "replica": state.get("replica"), "epoch": state.get("epoch"),
    }  # fmt: skip
