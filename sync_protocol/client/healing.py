"""What a refusal of a whole request, or an answer of a server that went back in time, asks of a device (P9, P19, P21, P61,
P88). The rules are `replica`'s and `history`'s; nothing is ever deleted here."""

from collections.abc import Iterable, Mapping
from typing import Any

from sync_protocol import history, replica
from sync_protocol.client.registration import Registration
from sync_protocol.client.store import ClientStore
from sync_protocol.client.transport import Offline, Refused, ServerBusy, wait_s
from sync_protocol.problems import PROBLEMS

MAX_HEALS = 5  # registrations and fresh starts in a row with nothing taken in between
ALONE = 3


class Healer:
    """Heals forks, epochs and cursors of one store."""

    def __init__(self, store: ClientStore, registration: Registration) -> None:
        self._store, self._registration = store, registration
        self._heals = 0
        self._alone = ("", 0)  # the op refused alone, how often

    def calm(self) -> None:
        """Something was taken: the next trouble is a new one."""
        self._heals = 0

    def heal(self, refusal: Refused) -> None:
        """Do what the problem code asks for. Raises the refusal where only a person can help."""
        if refusal.code not in ("replica_forked", "epoch_changed", "cursor_invalid"):
            if refusal.code in PROBLEMS and PROBLEMS[refusal.code].reaction == "wait":
                raise ServerBusy(wait_s(refusal.problem.get("retry_after"), 1.0)) from refusal
            raise refusal
        self._heals += 1
        if self._heals > MAX_HEALS:
            self._heals = 0
            raise Offline(f"the server keeps answering {refusal.code}")
        if refusal.code == "cursor_invalid":
            with self._store.change() as state:
                replica.start_over(state)
        else:
            self._registration.anew()

    def has_gone_back(self, asked: dict[str, Any], answer: Mapping[str, Any], clocks: Iterable[int]) -> bool:
        """P61: an answer of our epoch that tells clocks behind those told before we asked is not to be taken."""
        if answer["epoch"] != asked["epoch"] or not history.is_behind(asked, clocks):
            return False
        with self._store.change() as state:
            require_epoch(state, answer)
            history.distrust(state)
        return True

    def set_aside(self, refusal: Refused) -> None:
        """P88: the op at the head of the outbox, refused alone, steps out of the way of those behind it: at
        once where it is too large, at the third time where its frame cannot be read (a line may spoil one).
        Else raises the refusal."""
        first = self._store.state("outbox")["outbox"][0]["op"]
        self._alone = (first, self._alone[1] + 1 if self._alone[0] == first else 1)
        if refusal.code != "too_large" and self._alone[1] < ALONE:
            raise refusal
        with self._store.change() as state:
            replica.set_aside(state, refusal.code)
        self._registration.anew()


def require_epoch(state: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """P21: another process may have adopted another history while this answer was on its way. Raises Offline then."""
    if answer["epoch"] != state["epoch"]:
        raise Offline("an answer of another epoch than the one asked")
