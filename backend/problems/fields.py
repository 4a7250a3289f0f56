"""Which fields of a problem people may edit, who may, and what happens when two did (PROTOCOL.md P25, P71). Pure.

One table. A field that is not in it is written by steps, rules and facts alone, never by an edit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.problems.table import FIELD, FIXES, SUPERVISES
from sync_protocol.merge import Conflict, same

CAUSES = ("person", "thing", "management")  # 人的不安全行为 · 物的不安全状态 · 管理上的缺陷
MAX_TEXT = 4000


@dataclass(frozen=True, slots=True)
class Editable:
    """Kind of value (text, date, one of, some of), merge policy of P25, and the roles that may edit it."""

    kind: str
    policy: str
    who: frozenset[str]
    is_optional: bool = True
    choices: tuple[str, ...] = ()


EDITABLE: Mapping[str, Editable] = {
    # what a person typed is joined by people: the server's text stays, the other is kept beside it
    "description": Editable("text", "manual", FIELD, is_optional=False),
    "spot": Editable("text", "device", FIELD),  # 部位: whoever stands there knows best
    "causes": Editable("some", "union", FIELD, is_optional=False, choices=CAUSES),
    "due_on": Editable("date", "server", SUPERVISES),
    # 五落实: goal, funds, people, time limit, measures and plan
    "target": Editable("text", "manual", FIXES | SUPERVISES),
    "funds": Editable("text", "manual", FIXES | SUPERVISES),
    "people": Editable("text", "manual", FIXES | SUPERVISES),
    "time_limit": Editable("text", "manual", FIXES | SUPERVISES),
    "plan": Editable("text", "manual", FIXES | SUPERVISES),
}  # fmt: skip
POLICIES: Mapping[str, str] = {name: field.policy for name, field in EDITABLE.items()}


def forbidden(names: Iterable[str], role: str) -> list[str]:
    """Those of these fields that `role` may not edit, in order."""
    return sorted(name for name in names if role not in EDITABLE[name].who)


def overridden(conflict: Conflict) -> Any:
    """The value that a conflict has put aside; None where the policy made one value of both."""
    if conflict.is_joined:
        return None
    return conflict.theirs if same(conflict.kept, conflict.mine) else conflict.mine


def flags(conflicts: Iterable[Conflict], is_stale: bool, is_interrupted: bool, has_taken: bool) -> tuple[str, ...]:
    """The flags of an edit (P72): somebody wrote meanwhile and both stand; a chain was cut into; a value was put aside."""
    found = list(conflicts)
    told = {
        "merged": has_taken and (is_stale or any(c.is_joined for c in found)),
        "soft_conflict": is_interrupted or any(c.is_joined for c in found),
        "hard_conflict": any(not c.is_joined for c in found),
    }
    return tuple(name for name, is_so in told.items() if is_so)
