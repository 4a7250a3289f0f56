"""How two sides notice that they hold different things: a count and a sum over the members of a bucket (rules P43,
P44). Pure; the sum does not depend on the order, so either side may keep it as it likes."""

import hashlib
from collections.abc import Iterable, Sequence

PARTS = 256
WORD = 1 << 64
Member = tuple[str, str, int]  # type, id, version


def weight(kind: str, ent: str, ver: int) -> int:
    """One member's part of the sum: the first eight bytes of sha256("type|id|version"), big-endian, unsigned."""
    return int.from_bytes(hashlib.sha256(f"{kind}|{ent}|{ver}".encode()).digest()[:8], "big")


def check(members: Iterable[Member]) -> tuple[int, str]:
    """(count, sum modulo 2^64 in 16 hexadecimal digits) of the members of a bucket; (0, "0…0") of none."""
    weights = [weight(*member) for member in members]
    return len(weights), spelt(sum(weights))


def spelt(total: int) -> str:
    """A sum as it goes over the wire."""
    return f"{total % WORD:016x}"


def part_of(member: Member) -> int:
    """P44: which of the 256 parts of its bucket a member is in: the first byte of its weight."""
    return weight(*member) >> 56


def parts(members: Iterable[Member]) -> list[tuple[int, str]]:
    """P44: the check of each of the 256 parts."""
    held: list[list[Member]] = [[] for _ in range(PARTS)]
    for member in members:
        held[part_of(member)].append(member)
    return [check(found) for found in held]


def differing(ours: Sequence[Sequence[object]], theirs: Sequence[Sequence[object]]) -> list[int]:
    """Numbers of the parts whose checks are not the same."""
    return [n for n, (one, other) in enumerate(zip(ours, theirs, strict=True)) if list(one) != list(other)]
