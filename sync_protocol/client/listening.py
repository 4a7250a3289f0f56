"""Hearing from the server that something has changed (P91): the stream read, and a device that syncs when it is poked. No
rule of the protocol but P91; whoever hears nothing syncs as without."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from sync_protocol.client.transport import Offline, ServerBusy, Transport

SPREAD_S = 5.0  # whoever is poked waits a time drawn from 0 to this: others were poked with it
DEAD_S = 60.0  # a line without a sign of life for so long is gone
AGAIN_S, AGAIN_MOST_S = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class Poke:
    """The history the server lives in, and the clock of the last change in the device's buckets."""

    epoch: str
    clock: int


class Watching(Protocol):
    """What watching needs of a client."""

    def listen(self) -> Iterator[Poke | None]: ...
    def is_news(self, poke: Poke) -> bool: ...
    def sync(self, tries: int = ...) -> bool: ...


def pokes(transport: Transport, path: str) -> Iterator[Poke | None]:
    """Each poke as it comes, None for a sign of life; ends when the server ends the stream. What is no poke is ignored.

    Raises Offline, ServerBusy, Refused.
    """
    event, data = "", ""
    for line in transport.lines(path):
        if not line:
            if event == "poke" and (found := _read(data)) is not None:
                yield found
            event, data = "", ""
        elif line.startswith(":"):
            yield None
        else:
            name, _, value = line.partition(":")
            event = value.strip() if name == "event" else event
            data = value.strip() if name == "data" else data


def _read(data: str) -> Poke | None:
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        return None
    is_poke = isinstance(found, dict) and isinstance(found.get("epoch"), str) and type(found.get("clock")) is int
    return Poke(found["epoch"], found["clock"]) if is_poke else None


def watch(client: Watching, seconds: float, dice: Random, wait: Callable[[float], None] = time.sleep) -> dict[str, int]:
    """For so long (a little longer, until the stream's next sign of life) sync whenever there is news; returns how
    many pokes came and how often it synced. Raises Refused."""
    end, counts, failed = time.monotonic() + seconds, {"pokes": 0, "syncs": 0}, 0
    while time.monotonic() < end:
        pause_s = dice.uniform(0, AGAIN_S)
        try:
            for poke in client.listen():
                failed = 0
                if poke is not None:
                    counts["pokes"] += 1
                    if client.is_news(poke):
                        wait(min(dice.uniform(0, SPREAD_S), max(end - time.monotonic(), 0)))
                        client.sync(tries=1)
                        counts["syncs"] += 1
                if time.monotonic() >= end:
                    return counts
        except ServerBusy as busy:
            pause_s = busy.retry_after_s
        except Offline:
            failed += 1
            pause_s = dice.uniform(0, min(AGAIN_S * 2 ** min(failed, 30), AGAIN_MOST_S))
        wait(min(pause_s, max(end - time.monotonic(), 0)))
    return counts
