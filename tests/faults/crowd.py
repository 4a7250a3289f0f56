"""Hundreds of devices in one thread, for storms: each holds the real state of a device (`sync_protocol.replica`), speaks
the real protocol over a line of its own, heals by its rules (P9, P11, P21) and waits as it is told (P86). Never a check."""

import asyncio
import base64
import gzip
import hashlib
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from backend.access.scope import SYSTEM
from backend.accounts import tokens
from backend.accounts.queries import actor_of
from backend.cli.field_team import picture
from backend.database import transaction
from backend.feed.log import meta
from backend.now import now_utc
from backend.sync import push as pushes
from sync_protocol import replica
from tests.faults.phones import CODES, op_body, sites
from tests.faults.rig import PEOPLE, Place

PAUSE_S, LONGEST_S = 0.5, 4.0  # full-jitter backoff of a phone in a hurry: P86's, with a shorter breath
PATIENCE_S = 60.0  # for one answer
FAILING = 0.05  # of the checklists have a failed item, beside the one with the photo


class Lost(Exception):
    """No answer, or half of one."""


@dataclass
class Line:
    """One connection at a time to the server's port; HTTP/1.1 by hand, because 500 real clients would cost more
    than the server that is asked."""

    port: int
    token: str
    ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Any:
        """One exchange: (status, headers in small letters, body). Raises Lost."""
        rows = {
            "Host": "x",
            "Authorization": f"Bearer {self.token}",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }
        head = "".join(f"{k}: {v}\r\n" for k, v in rows.items())
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self.ends is None:
                    self.ends = await asyncio.open_connection("127.0.0.1", self.port)
                reader, writer = self.ends
                writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
                return await self._answer(reader, method)
        except (OSError, EOFError, ValueError, TimeoutError) as cut:
            self.close()
            raise Lost(repr(cut)) from cut

    async def _answer(self, reader: asyncio.StreamReader, method: str) -> tuple[int, dict[str, str], bytes]:
        first, *rows = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        headers = {k.lower(): v.strip() for k, _, v in (row.partition(":") for row in rows)}
        status = int(first.split()[1])
        size = 0 if method == "HEAD" or status == 204 else int(headers["content-length"])
        data = await reader.readexactly(size)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, data

    def close(self) -> None:
        """Let go of the connection."""
        if self.ends is not None:
            self.ends[1].close()
            self.ends = None


@dataclass
class Phone:
    """One device. `acks` is every outcome it was told; `waits` the seconds from its start to the last of its ops in
    custody (`ops`) and to its last photo (`all`), `pushes` those of each answered push; `statuses` of all answers."""

    person: int
    install: str
    line: Line
    state: dict[str, Any]
    lot: int
    dice: Random
    recorded: list[str] = field(default_factory=list)
    photos: dict[str, bytes] = field(default_factory=dict)
    acks: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    waits: dict[str, float] = field(default_factory=dict)
    over_at: float = 0.0
    tries: int = 0
    request: bytes = b""

    def record(self, count: int, places: Sequence[str], photo: bytes) -> None:
        """A day: `count` checklists, one of them with a failed item and its photo."""
        sha = hashlib.sha256(photo).hexdigest()
        self.photos[sha] = photo
        for n in range(count):
            body = op_body(f"u-f{self.person}", f"tf{self.person}", self.dice.choice(places), self.dice, FAILING)
            if n == 0:
                body = _with_photo(body, sha, len(photo))
            read = json.loads(body)
            replica.record(self.state, read["op"], body, f"inspection:{read['ent']['id']}")
            self.recorded.append(read["op"])
        self.ready()

    def ready(self) -> None:
        """The next push, the same bytes at every try."""
        waiting = self.state["outbox"]
        asked = {"proto": 1, "epoch": self.state["epoch"], "replica": self.state["replica"], "outbox_len": len(waiting),
                 "ops": replica.wire(self.state, self.lot)}  # fmt: skip
        self.request = gzip.compress(json.dumps(asked, ensure_ascii=False).encode(), 1)

    async def run(self, started: float) -> None:
        """Ops, then photos, until the server has all of them."""
        while self.state["outbox"]:
            await self._patiently(self._push)
        self.over_at = time.monotonic()
        self.waits["ops"] = self.over_at - started
        for sha in self.photos:
            while not await self._patiently(lambda sha=sha: self._bring(sha)):
                continue
        self.waits["all"] = time.monotonic() - started
        self.line.close()

    async def _patiently(self, step: Callable[[], Any]) -> Any:
        """One step; a pause after trouble: as long as was said and never shorter, else drawn (full jitter)."""
        try:
            done = await step()
            self.tries = 0
            return done
        except Lost:
            pause = self.dice.uniform(0, min(PAUSE_S * 2 ** min(self.tries, 9), LONGEST_S))
            self.tries += 1
        except Busy as busy:
            pause = busy.seconds + self.dice.uniform(0, 1)
        await asyncio.sleep(pause)
        return None

    async def _ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        status, got, data = await self.line.ask(method, f"/sync/v1{path}", body, more)
        told = status == 503 and not got.get("retry-after", "").isdigit()
        self.statuses["503 without Retry-After" if told else str(status)] += 1
        if status >= 500:
            raise Busy(float(got.get("retry-after", "1")))
        return status, got, data

    async def _push(self) -> None:
        headers = {"Content_Type": "application/json", "Content_Encoding": "gzip"}
        status, _, data = await self._ask("POST", "/push", self.request, **headers)
        answer = json.loads(data)
        if status == 409 and answer["code"] in ("replica_forked", "epoch_changed"):
            await self._register()
        elif status == 409:
            raise Busy(float(answer.get("retry_after") or 1))
        elif status != 200:
            raise AssertionError(f"a push was answered {status}: {answer}")
        else:
            self.acks |= {told["op"]: told for told in answer["results"]}
            replica.take_acks(self.state, answer["results"], answer["durable_seq"])
            if self.state["outbox"]:
                self.ready()
            if answer["stopped"]:
                raise Busy(float(answer["stopped"]["retry_after"] or 1))

    async def _register(self) -> None:
        """P9, P21: what is not in custody is offered again, with the same ids."""
        asked = {"install_id": self.install, "nonce": secrets.token_hex(8), "cursor": None}
        status, _, data = await self._ask(
            "POST", "/replicas", json.dumps(asked).encode(), Content_Type="application/json"
        )
        if status == 201:
            made = json.loads(data)
            replica.adopt(self.state, made["replica"], made["epoch"])
            self.ready()

    async def _bring(self, sha: str) -> bool:
        """Ask, create, send from where the server stands; whether it has the photo. Any doubt asks again."""
        photo, tus = self.photos[sha], {"Tus_Resumable": "1.0.0"}
        want = json.dumps({"want": [{"sha256": sha, "size": len(photo)}]}).encode()
        _, _, data = await self._ask("POST", "/blobs/query", want, Content_Type="application/json")
        known = json.loads(data)
        if sha in known["have"]:
            return True
        if known["partial"]:
            url, at = known["partial"][0]["url"].removeprefix("/sync/v1"), known["partial"][0]["offset"]
        else:
            named = f"sha256 {base64.b64encode(sha.encode()).decode()}"
            status, got, data = await self._ask(
                "POST", "/blobs", b"", Upload_Length=str(len(photo)), Upload_Metadata=named, **tus
            )
            assert status == 201, (status, data)
            url, at = got["location"].removeprefix("/sync/v1"), int(got["upload-offset"])
        kind = {"Content_Type": "application/offset+octet-stream", "Upload_Offset": str(at)}
        if at == len(photo):
            status, got, _ = await self._ask("HEAD", url, **tus)  # it finishes what a kill has left whole
        else:
            status, got, _ = await self._ask("PATCH", url, photo[at:], **kind, **tus)
        return status == 204 and int(got["upload-offset"]) == len(photo)


class Busy(Exception):
    """Come back after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"busy for {seconds} s")
        self.seconds = seconds


def _with_photo(body: str, sha: str, size: int) -> str:
    read = json.loads(body)
    code = CODES[0]
    read["args"]["answers"][code], read["args"]["photos"] = "fail", {code: [sha]}
    read["blobs"] = [{"sha256": sha, "size": size, "mime": "image/jpeg"}]
    return json.dumps(read, ensure_ascii=False, separators=(",", ":"))


def crowd(place: Place, port: int, phones: int, ops: int, seed: int) -> list[Phone]:
    """`phones` enrolled devices of PEOPLE inspectors, each with `ops` checklists and a photo recorded and nothing sent.
    One in three sends its ops in lots of a third."""
    places, small = sites(place), picture(f"crowd {seed}", 118.0448, 36.807)
    made: list[Phone] = []
    with place.app(), transaction() as session:
        epoch, now = meta(session, SYSTEM).epoch, now_utc()
        for n in range(phones):
            person, install = n % PEOPLE + 1, f"crowd-{seed}-{n}"
            code = tokens.make_code(session, f"u-f{person}", now)
            device, token, user = tokens.redeem(session, code, install, "crowd/1", now)
            actor = actor_of(user, device_id=device)
            name = f"r-{secrets.token_hex(8)}"
            pushes.register(session, actor, install, device, name, now)
            lot = -(-ops // 3) if n % 3 == 0 else 200
            made.append(
                Phone(person, install, Line(port, token), replica.fresh(name, epoch), lot, Random(f"{seed}:{n}"))
            )
    for n, phone in enumerate(made):
        phone.record(ops, places, small + f"{seed}:{n}".encode())
    return made


async def storm(phones: Sequence[Phone], beside: Callable[[], Any] | None = None) -> float:
    """All of them at once; `beside` (a coroutine function) runs along. Returns when it began (monotonic)."""
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for phone in phones:
            group.create_task(phone.run(started))
        if beside is not None:
            group.create_task(beside())
    return started
