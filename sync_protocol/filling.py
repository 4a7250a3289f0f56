"""The device's half of bundles (P46): whether they are wanted, and taking one. Pure rules over the state of `replica`.
No I/O."""

from sync_protocol import doubts
from sync_protocol.bundle import Bundle
from sync_protocol.replica import State, enter, keep_marks, marks


def may_bundle(state: State) -> bool:
    """P46: whether the next pull may offer bundles; a bucket in doubt is read page by page, which overwrites all."""
    return not state.get("by_pages") and not doubts.mismatched(state)


def refuse_bundle(state: State) -> None:
    """P46: it is gone or spoilt: the rest of this filling comes in pages."""
    state.update(offers=[], by_pages=True)


def take_bundle(state: State, bundle_id: str, bundle: Bundle) -> None:
    """P46: rows, membership and marks of one bundle; that it is taken is told with the next pull.

    A row here that is of a later version stays as it is: the pages that follow the bundle tell of it again.
    """
    reset = state["resetting"].get(bundle.bucket)
    if reset is not None:  # nothing between the bundle and the reset's beginning is known
        reset["at"] = bundle.clock if reset["at"] is None else min(reset["at"], bundle.clock)
    seen = marks(state)
    for row in bundle.rows:
        key = f"{row['t']}:{row['id']}"
        here = state["base"].get(key)
        is_ours = here is not None and here["epoch"] == bundle.epoch
        if not (is_ours and here["as_of"] >= bundle.clock and here["ver"] > row["ver"]):
            as_of = max(bundle.clock, here["as_of"]) if is_ours else bundle.clock
            state["base"][key] = {
                "data": row["data"], "ver": row["ver"], "as_of": as_of, "epoch": bundle.epoch,
            }  # fmt: skip
        enter(state, key, bundle.bucket, seen)
    keep_marks(state, seen)
    state["taken"] = [*state.get("taken", []), bundle_id]
    state["offers"] = [offer for offer in state.get("offers", []) if offer["id"] != bundle_id]
