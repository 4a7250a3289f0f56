"""Who this installation is to the server: enrolled once, registered anew after a fork or a restore. What is
recorded here is never touched by either."""

from collections.abc import Callable
from typing import Any

from sync_protocol import PROTO, replica
from sync_protocol.client.store import ClientStore
from sync_protocol.client.transport import Transport


class Registration:
    """Enrolling and registering over one store and one connection. Each may be tried again at will.

    Raises Offline, ServerBusy, Refused; nothing that was recorded has changed then.
    """

    def __init__(self, store: ClientStore, transport: Transport, base: str, random: Callable[[int], bytes]) -> None:
        self._store, self.transport, self._base, self._random = store, transport, base, random

    def enrol(self, code: str, install_id: str, app: str) -> dict[str, Any]:
        """Redeem a one-time code; returns the server's answer. An installation enrols once. Its id is kept
        before it is sent, and is the same at every try. Raises ValueError where it is enrolled already."""
        with self._store.change("install_id", "replica") as state:
            if state.get("replica"):
                raise ValueError("this installation is enrolled already")
            state["install_id"] = install_id
        answer = self._redeem(code, state["install_id"], app)
        with self._store.change() as state:
            state.update(replica.fresh(answer["replica"], answer["epoch"]))
            state.update(token=answer["token"], actor=answer["user"]["id"])
        self.transport.token = answer["token"]
        return answer

    def renew(self, code: str, app: str) -> dict[str, Any]:
        """P65: the server does not know this device any more (it was restored to before the enrolment): a new
        code of the same person, and everything here is offered to the server as it is now.

        Raises ValueError where this installation was never enrolled, or the code is another person's.
        """
        before = self._store.state("install_id", "replica", "actor")
        if not before.get("replica"):
            raise ValueError("this installation was never enrolled")
        answer = self._redeem(code, before["install_id"], app)
        if answer["user"]["id"] != before["actor"]:
            raise ValueError(f"the code is of {answer['user']['id']}, this device is of {before['actor']}")
        with self._store.change() as state:
            state["token"] = answer["token"]
            self._adopt(state, answer)
        self.transport.token = answer["token"]
        return answer

    def _redeem(self, code: str, install_id: str, app: str) -> dict[str, Any]:
        request = {"code": code, "install_id": install_id, "app": app, "proto": PROTO}
        return self.transport.json("POST", f"{self._base}/enrol", request)

    def anew(self) -> None:
        """A new replica identity. The nonce is kept until the answer has arrived, so a lost one costs
        nothing (P9). The cursor goes along: if it is ahead of the server, it proves that the server went
        back (P62)."""
        with self._store.change("install_id", "nonce", "cursor") as state:
            state["nonce"] = state.get("nonce") or self._random(8).hex()
            request = {k: state[k] for k in ("install_id", "nonce", "cursor")}
        answer = self.transport.json("POST", f"{self._base}/replicas", request)
        with self._store.change() as state:
            self._adopt(state, answer)
            state["nonce"] = None

    def _adopt(self, state: dict[str, Any], answer: dict[str, Any]) -> None:
        """A server of another history is asked about every photo again, in the same transaction (P30)."""
        if replica.adopt(state, answer["replica"], answer["epoch"]):
            self._store.ask_again()
