"""Closing the larger rings. Refuses, with what is open, whatever would close over a smaller ring."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.effects import Changed, Effect, OpLike
from backend.errors import Refused
from backend.rings import queries, rules
from backend.rings.rules import RINGS_ZH, Ring
from backend.sweeps import queries as sweeps
from backend.territory import queries as territory

SHOWN = 20  # names of one kind that a refusal gives


def close_sweep(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`sweep.close`: every task done or excused, every handover of it closed, coverage stated (in words, and in figures here).

    Raises Refused target_missing, guard_failed (closed already; what is open, by name). What arrives later is still taken.
    """
    sweep = sweeps.hold(session, actor, op.ent_id)
    if sweep is None:
        raise Refused("target_missing", "no such sweep")
    if sweep.state == "closed":
        raise Refused("guard_failed", "the sweep is closed already")
    refuse_open(queries.ring_of_sweep(session, sweep))
    figures = queries.coverage(session, sweep)
    sweep.state, sweep.closed_at, sweep.closed_by, sweep.ver = "closed", now, actor.id, sweep.ver + 1
    sweep.closing = {"said": op.args["coverage"].strip(), "figures": figures}
    session.flush()
    return Effect(ver=sweep.ver, changes=[Changed("sweep", sweep.id, sweep.ver, ("global",))],
                  summary={"sweep": sweep.id, "area_path": territory.city_id(session), **figures}, result=dict(figures))  # fmt: skip


def refuse_open(ring: Ring) -> None:
    """Raises Refused guard_failed with what keeps a ring from closing, kind by kind."""
    if rules.may_close(ring):
        return
    by_kind: dict[str, list[str]] = {}
    for kind, name in rules.open_in(ring):
        by_kind.setdefault(kind, []).append(name)
    told = [f"{RINGS_ZH[kind]} {kind} ({len(names)}): {_some(names)}" for kind, names in by_kind.items()]
    raise Refused("guard_failed", f"still open: {'; '.join(told)}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
