"""Who this installation is to the server: registering it anew, and what a refusal of a whole request asks for (P9, P19,
P21). The rules are `replica`'s; nothing is ever deleted here."""

from collections.abc import Callable

from sync_protocol import replica
from sync_protocol.client.store import ClientStore
from sync_protocol.client.transport import Offline, Refused, ServerBusy, Transport, wait_s
from sync_protocol.problems import PROBLEMS

MAX_HEALS = 5  # registrations and fresh starts in a row with nothing taken in between
ALONE = 3


class Registration:
    """Heals forks, epochs and cursors of one store over one connection."""

    def __init__(self, store: ClientStore, transport: Transport, base: str, random: Callable[[int], bytes]) -> None:
        self._store, self._transport, self._base, self._random = store, transport, base, random
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
            self.register()

    def register(self) -> None:
        """A new replica identity. The nonce is kept until the answer has arrived, so a lost one costs
        nothing (P9). A server of another history is asked about every photo again, in one transaction."""
        with self._store.change("install_id", "nonce") as state:
            state["nonce"] = state.get("nonce") or self._random(8).hex()
            request = {"install_id": state["install_id"], "nonce": state["nonce"]}
        answer = self._transport.json("POST", f"{self._base}/replicas", request)
        with self._store.change() as state:
            if replica.adopt(state, answer["replica"], answer["epoch"]):
                self._store.ask_again()
            state["nonce"] = None

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
        self.register()
