"""Bringing the server's state to this device: pages, bundles, and the report where the two keep differing.

Every step is one exchange and one local transaction; what is under way is in the store, so that a killed device goes
on where it was. No rule of the protocol is decided here (`replica` and `doubts` do).
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO
from urllib.parse import quote

from sync_protocol import PROTO, bundle, checks, doubts, filling, replica
from sync_protocol.client.answers import whole
from sync_protocol.client.codings import READABLE, Damaged, unpack
from sync_protocol.client.healing import Healer
from sync_protocol.client.store import ClientStore
from sync_protocol.client.transport import (
    BUSY,
    MAX_ANSWER_BYTES,
    Offline,
    Refused,
    ServerBusy,
    Transport,
    header,
    problem,
    wait_s,
)
from sync_protocol.limits import MAX_UNACKED, SCHEMA
from sync_protocol.tables import BadTable

GONE = (404, 410)
TAG = re.compile(r"[0-9a-f]{64}")  # of the bytes as they travel
TOO_FAR = 416  # more bytes here than the bundle has: begun anew
State = dict[str, Any]


class Puller:
    """Pulls for one store over one connection. `got` counts pages, bundles and bytes of bundles, for people."""

    def __init__(self, store: ClientStore, transport: Transport, base: str, healer: Healer) -> None:
        self._store, self.transport, self._base, self._healer = store, transport, base, healer
        self.got = {"pages": 0, "bundles": 0, "bundle_bytes": 0}

    def step(self, state: State, limit: int, is_taken: Callable[[State, dict[str, Any]], None]) -> bool:
        """One bundle if one is on offer, else one page; True when the view is complete. `is_taken(state, answer)`
        is asked inside the local transaction and raises where the answer must not be taken after all.

        Raises Offline, ServerBusy, Refused; nothing local has changed then but the bytes of a bundle.
        """
        offers = state.get("offers") or []
        if offers:
            self._fetch(offers[0], state["epoch"])
            return False
        asked = replica.unacked(state, MAX_UNACKED)
        page = self._page(state, limit, asked)
        if self._healer.has_gone_back(state, page, [page["as_of"]]):
            return False
        with self._store.change() as kept:
            is_taken(kept, page)
            is_over = replica.take_page(kept, page, asked)
        self.got["pages"] += 1
        return is_over

    def _page(self, state: State, limit: int, asked: list[str]) -> dict[str, Any]:
        request = {
            "proto": PROTO, "schema": SCHEMA, "replica": state["replica"], "cursor": state["cursor"],
            "resetting": replica.resetting(state), "unacked": asked,
            "limit": limit, "accept_bundles": filling.may_bundle(state), "taken": state.get("taken", []),
            "mismatched": doubts.mismatched(state), "outbox_len": len(state["outbox"]),
        }  # fmt: skip
        try:
            page = whole(self.transport.json("POST", f"{self._base}/pull", request))
        except BadTable as fault:
            raise Offline(f"not an answer of this protocol: {fault}") from fault
        if page["epoch"] != state["epoch"]:
            raise Refused(409, {"code": "epoch_changed", "epoch": page["epoch"]})
        leads = page["complete"] or page["cursor"] != state["cursor"] or page["reset"] or page.get("bundles")
        if not leads:
            raise Offline("a page that leads nowhere")
        return page

    def _fetch(self, offer: dict[str, Any], epoch: str) -> None:
        """P46: download, from the byte where it stopped; look whether it is what was offered; take it."""
        try:
            found = bundle.read(self._download(offer))
        except (bundle.BadBundle, Damaged) as fault:
            self._give_up(offer)
            raise Offline(f"a bundle that is none: {fault}") from fault
        except Refused as refusal:
            if refusal.status not in GONE:
                raise
            self._give_up(offer)
            return
        with self._store.change() as kept:
            if kept["epoch"] != epoch or found.epoch != epoch or found.bucket != offer["bucket"]:
                filling.refuse_bundle(kept)
            else:
                filling.take_bundle(kept, offer["id"], found)
        self._store.drop_part(offer["id"])
        self.got["bundles"] += 1

    def _give_up(self, offer: dict[str, Any]) -> None:
        """What could not be had as a bundle comes in pages."""
        self._store.drop_part(offer["id"])
        with self._store.change() as kept:
            filling.refuse_bundle(kept)

    def _download(self, offer: dict[str, Any]) -> bytes:
        """The whole bundle without its coding. Raises Damaged where its bytes are not those of its name."""
        tag, begun = self._store.part(offer["id"])
        headers = {**self.transport.headers(), "Accept-Encoding": ", ".join(READABLE) or "identity"}
        if tag and begun:
            headers |= {"Range": f"bytes={begun}-", "If-Range": f'"{tag}"'}
        told: dict[str, Any] = {}

        def begin(status: int, got: Any) -> BinaryIO:
            told.update(tag=header(got, "ETag").strip('"'), coding=got.get("Content-Encoding", "identity"))
            if not TAG.fullmatch(told["tag"]):
                raise Damaged("a tag that is no hash")
            return self._store.open_part(offer["id"], told["tag"], begun if status == 206 else 0)

        status, got, data = self.transport.fetch(f"{self._base}/bundles/{quote(offer['id'], safe='')}", headers, begin)
        if status in BUSY:
            raise ServerBusy(wait_s(got.get("Retry-After")))
        if status == TOO_FAR:
            self._store.drop_part(offer["id"])
            raise Offline("a bundle is shorter than what is here")
        if 400 <= status < 500:
            raise Refused(status, problem(data))
        if status not in (200, 206):
            raise Offline(f"status {status} is not this server's")
        packed = self._store.read_part(offer["id"])
        self.got["bundle_bytes"] += len(packed) - (begun if status == 206 else 0)
        if hashlib.sha256(packed).hexdigest() != told["tag"]:
            raise Damaged("the bytes are not those of their tag")
        plain = unpack(told["coding"], packed, MAX_ANSWER_BYTES)
        if hashlib.sha256(plain).hexdigest() != offer["sha256"]:
            raise Damaged("not the bundle that was offered")
        return plain

    def report(self, state: State) -> list[str]:
        """P44: tell the server which ids differ in the buckets that no reset has healed; returns these buckets.
        `state` is the whole of it.

        Raises Offline, ServerBusy, Refused.
        """
        told = []
        for bucket in doubts.to_report(state):
            doubt = state["doubts"][bucket]
            try:
                found = self._differences(bucket, doubts.members(state, bucket))
            except (KeyError, TypeError, ValueError) as fault:
                raise Offline(f"not an answer of this protocol: {fault!r}") from fault
            report = {"as_of": state["seen_clock"], "here": doubt["here"], "there": doubt["there"], **found}
            self._digest({"bucket": bucket, "parts": [], "replica": state["replica"], "report": report})
            with self._store.change("doubts") as kept:
                doubts.note_report(kept, bucket)
            told.append(bucket)
        return told

    def _differences(self, bucket: str, ours: Sequence[checks.Member]) -> dict[str, Any]:
        """Down from the bucket to its 256 parts, from the parts that differ to their members."""
        parts = self._digest({"bucket": bucket})["parts"]
        wanted = checks.differing(checks.parts(ours), parts)
        theirs = self._digest({"bucket": bucket, "parts": wanted})["members"]
        here = [member for member in ours if checks.part_of(member) in set(wanted)]
        return doubts.differences(here, [(kind, ent, ver) for kind, ent, ver in theirs])

    def _digest(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.transport.json("POST", f"{self._base}/digest", {"schema": SCHEMA, **request})
