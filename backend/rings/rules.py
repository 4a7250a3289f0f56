"""The law of the rings as a pure function: no larger ring closes while a smaller one in it is open.

    year ⊃ order ⊃ sweep ⊃ handover ⊃ problem

上环提下环、大环串小环: an order may hold sweeps and handovers, a sweep tasks and handovers, a handover problems. No database, no clock.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# ring → rings that it may hold. A task is the sweep's own; a reply the order's; a problem is the smallest ring.
HOLDS: Mapping[str, tuple[str, ...]] = {
    "year": ("order",),
    "order": ("sweep", "handover", "reply"),
    "sweep": ("handover", "task"),
    "handover": ("problem",),
    "problem": (),
    "task": (),
    "reply": (),
}
RINGS_ZH: Mapping[str, str] = {
    "year": "年度", "order": "部署", "sweep": "专项排查", "handover": "交办单", "problem": "隐患", "task": "排查任务", "reply": "回复",
}  # fmt: skip

# The year's four orders. Without the first three a year is not whole; special ones come when there is cause.
ORDERS_ZH: Mapping[str, str] = {
    "deployment": "年初部署",
    "supervision": "半年督查",
    "evaluation": "年底考评",
    "special": "专批交办",
}
EVERY_YEAR = ("deployment", "supervision", "evaluation")


@dataclass(frozen=True, slots=True)
class Ring:
    """One ring: what kind, its name, whether it is closed, and the rings in it."""

    kind: str
    name: str
    is_closed: bool
    parts: tuple["Ring", ...] = ()


def open_in(ring: Ring) -> Iterator[tuple[str, str]]:
    """(kind, name) of whatever keeps a ring from closing, the smallest first: each open ring in it, however deep.

    A closed ring answers for what is in it: what opens again within it is a matter of a new ring.
    """
    for part in ring.parts:
        if not part.is_closed:
            yield from open_in(part)
            yield part.kind, part.name


def may_close(ring: Ring) -> bool:
    """Whether every ring in it is closed. Raises ValueError for a ring in one that cannot hold it."""
    if strange := [part.kind for part in ring.parts if part.kind not in HOLDS[ring.kind]]:
        raise ValueError(f"a {ring.kind} holds no {strange[0]}")
    return not any(True for _ in open_in(ring))
