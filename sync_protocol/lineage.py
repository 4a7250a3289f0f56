"""What the author of an op had seen of an entity, and what not (rule P73). Pure; no times, no states.

`{"ver": n}` says it outright. `{"after": op}` says it through an op that its author had not yet sent: they
had seen what that op's author (the same person) had seen, and their own chain of ops on top of it, but not
what others wrote in between, however small a number those versions have.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_CHAIN = 1000  # own unsent ops on one entity


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an entity: the op that made it (None: the server by itself) and that op's base."""

    ver: int
    op: str | None
    base: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """All up to `ver`, and the versions made by the ops `own`, of which `first` is the oldest and `last` the
    newest (0: none).

    `is_known` is False where the base does not say, or names what is not here: then nothing but the own
    ops counts as seen.
    """

    ver: int
    own: frozenset[str] = frozenset()
    first: int = 0
    last: int = 0
    is_known: bool = True


def seen(base: Mapping[str, Any] | None, made: Sequence[Version], present: int) -> Seen:
    """What the author of an op with this `base` had seen of the versions `made`, the newest being `present`.

    A version that is not there yet (the server was restored, or the base is made up) is not known. Never
    raises: a base is whatever a device wrote.
    """
    own: dict[str, list[int]] = {}
    while isinstance(base, Mapping) and "after" in base and len(own) < MAX_CHAIN:
        op = base["after"]
        mine = [version for version in made if version.op == op] if isinstance(op, str) else []
        if not mine or op in own:
            return _seen(None, own)
        own[op] = [version.ver for version in mine]
        if 1 in own[op]:
            return _seen(0, own)  # this op brought the entity into being: there was nothing before it
        base = mine[0].base
    return _seen(_number(base, present), own)


def _seen(ver: int | None, own: Mapping[str, Sequence[int]]) -> Seen:
    made = [n for versions in own.values() for n in versions]
    return Seen(ver or 0, frozenset(own), min(made, default=0), max(made, default=0), ver is not None)


def _number(base: Any, present: int) -> int | None:
    ver = base.get("ver") if isinstance(base, Mapping) else None
    if isinstance(ver, float) and ver.is_integer():
        ver = int(ver)  # 7.0 is 7 (P25)
    if not isinstance(ver, int) or isinstance(ver, bool):
        return None
    return ver if 1 <= ver <= present else None


def unseen(made: Iterable[Version], had: Seen) -> list[Version]:
    """The versions that were not seen, in order."""
    return sorted((v for v in made if v.ver > had.ver and v.op not in had.own), key=lambda v: v.ver)


def foreign(made: Iterable[Version], had: Seen) -> list[Version]:
    """The versions of others that an author is known not to have seen, in order. Of one who does not say
    what they saw, only what stands between and after the own ops is known."""
    if not had.is_known and not had.own:
        return []
    return [version for version in unseen(made, had) if had.is_known or version.ver > had.first]


def is_interrupted(made: Iterable[Version], had: Seen) -> bool:
    """Whether somebody else wrote between the own ops of a chain (or between its base and its first op)."""
    return any(version.ver < had.last for version in foreign(made, had))
