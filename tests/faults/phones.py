"""Devices for the fault tests: `Pusher` speaks the wire by hand and keeps its ledger of acknowledgements outside the
server; `CliPhone` is the reference client as the process that a person would run. No faults, no checks."""

import base64
import hashlib
import http.client
import json
import secrets
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from backend.access.scope import SYSTEM
from backend.cli.field_team import picture
from backend.database import snapshot
from backend.now import now_utc
from backend.territory import queries as territory
from sync_protocol.client.session import FieldClient
from sync_protocol.identity import GENESIS, chain_head, fingerprint, uuid7
from tests.faults.rig import ROOT, Place, Server

CODES = [f"A{n}" for n in (*range(101, 110), *range(201, 214))]


def op_body(actor: str, team: str, site: str, dice: Random, failing: float = 0.25, **more: Any) -> str:
    """The body of one checklist of `site`; about `failing` of them have a failed item."""
    answers = dict.fromkeys(CODES[:20], "pass")
    if dice.random() < failing:
        answers[dice.choice(CODES[:20])] = "fail"
    args = {"task_id": f"faults:{site}:campus-perimeter", "site_id": site, "programme": "campus-perimeter",
            "template_version": 1, "team_id": team, "answers": answers, "remarks": {"A101": "现场查看（示例）"},
            "fix": {"lon": 118.0448, "lat": 36.807, "accuracy_m": 8, "crs": "wgs84"}}  # fmt: skip
    op, ent = (uuid7(int(time.time() * 1000), secrets.token_bytes(10)) for _ in range(2))
    body = {"op": op, "verb": "inspection.submit", "v": 1, "actor": actor, "ent": {"t": "inspection", "id": ent},
            "base": None, "args": args, "blobs": [], "at": {"wall": now_utc().isoformat(), "mono": 1}}  # fmt: skip
    return json.dumps(body | more, ensure_ascii=False, separators=(",", ":"))


@dataclass
class Pusher:
    """One replica by hand. `acks` is every outcome that it was ever told, by op id; `told` every answer to a push."""

    server: Server
    person: int
    token: str
    replica: str
    epoch: str
    sites: list[str]
    dice: Random
    seq: int = 1
    head: str = GENESIS
    acks: dict[str, dict[str, Any]] = field(default_factory=dict)
    recorded: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @classmethod
    def enrol(cls, place: Place, server: Server, person: int = 1, seed: object = 1) -> "Pusher":
        """A new device of inspector `person`."""
        request = {
            "code": place.code(person),
            "install_id": f"install-{uuid.uuid4()}",
            "app": "faults/1",
            "proto": 1,
        }
        status, made = server.json("POST", "/sync/v1/enrol", request)
        assert status == 201, made
        return cls.of(place, server, person, made, seed)

    @classmethod
    def of(cls, place: Place, server: Server, person: int, made: dict[str, Any], seed: object = 1) -> "Pusher":
        """The device that an answer to an enrolment made."""
        dice = Random(f"{seed}:{person}")
        return cls(server, person, made["token"], made["replica"], made["epoch"], sites(place), dice)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of a push."""
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    def hear(self, status: int, answer: dict[str, Any]) -> None:
        """An answer to a push has come."""
        self.statuses.append(status)
        for result in answer.get("results", ()) if status == 200 else ():
            self.acks[result["op"]] = result

    def batch(self, count: int, **more: Any) -> bytes:
        """The next `count` ops as one request, the same bytes at every try."""
        ops = []
        for _ in range(count):
            body = op_body(f"u-f{self.person}", f"tf{self.person}", self.dice.choice(self.sites), self.dice, **more)
            ops.append({"seq": self.seq, "prev": self.head, "body": body})
            self.head = chain_head(self.head, self.replica, self.seq, fingerprint(body))
            self.seq += 1
            self.recorded.append(json.loads(body)["op"])
        return self.request(ops)

    def request(self, ops: list[dict[str, Any]]) -> bytes:
        """A push of these ops."""
        request = {
            "proto": 1,
            "epoch": self.epoch,
            "replica": self.replica,
            "outbox_len": len(ops),
            "ops": ops,
        }
        return json.dumps(request, ensure_ascii=False).encode()

    def send(self, request: bytes, timeout_s: float = 30.0) -> tuple[int, dict[str, Any]]:
        """One try; outcomes go into `acks`. (0, {}) where the line gave none."""
        try:
            status, _, data = self.server.ask("POST", "/sync/v1/push", request, self.headers, timeout_s)
            answer = json.loads(data)
        except (OSError, http.client.HTTPException, ValueError):
            return 0, {}
        self.hear(status, answer)
        return status, answer

    def insist(self, request: bytes, seconds: float = 60.0, is_patient: bool = False) -> dict[str, Any]:
        """The same bytes again until everything in them has an outcome; one who `is_patient` waits as long as it was
        told to, as a real phone does."""
        wanted, end = len(json.loads(request)["ops"]), time.monotonic() + seconds
        while time.monotonic() < end:
            status, answer = self.send(request)
            if status == 200 and len(answer["results"]) == wanted:
                return answer
            assert status in (0, 200, 409, 503, 507), (status, answer)
            assert answer.get("code") != "replica_forked", answer
            told_s = (answer.get("stopped") or answer).get("retry_after") if is_patient else None
            time.sleep(told_s or 0.02)
        raise AssertionError(f"no whole answer within {seconds} s; last: {status} {answer}")


class Photographer:
    """Brings one photo up by hand, in two parts, as a phone does after any doubt: create, HEAD, go on.

    `ask` is the line: (method, path, body, headers) → (status, headers, body).
    """

    def __init__(self, token: str, name: str) -> None:
        self.data = picture(name, 118.04, 36.8)
        self.rename()
        self._head = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}

    def rename(self) -> None:
        """Name it by its bytes (again, where a test has altered them)."""
        self.sha = hashlib.sha256(self.data).hexdigest()

    def bring(self, ask: Callable[..., tuple[int, Any, bytes]]) -> None:
        """Until the server has it whole. Raises what the line raises; AssertionError for any refusal."""
        url, part = self.create(ask), len(self.data) // 2
        while (at := self.offset(ask, url)) < len(self.data):
            status, _, body = self.patch(ask, url, at, self.data[at : at + part + 1])
            assert status == 204, (status, body)

    def create(self, ask: Callable[..., tuple[int, Any, bytes]]) -> str:
        """The upload's address."""
        meta = f"sha256 {base64.b64encode(self.sha.encode()).decode()}"
        more = {"Upload-Length": str(len(self.data)), "Upload-Metadata": meta}
        status, got, body = ask("POST", "/sync/v1/blobs", b"", {**self._head, **more})
        assert status == 201, (status, body)
        return str(got["Location"])

    def offset(self, ask: Callable[..., tuple[int, Any, bytes]], url: str) -> int:
        """Where the server says it stands."""
        status, got, body = ask("HEAD", url, None, self._head)
        assert status == 200, (status, body)
        return int(got["Upload-Offset"])

    def patch(
        self, ask: Callable[..., tuple[int, Any, bytes]], url: str, at: int, part: bytes
    ) -> tuple[int, Any, bytes]:
        """Send `part` at `at`."""
        return ask("PATCH", url, part, self.patch_headers(at))

    def patch_headers(self, at: int) -> dict[str, str]:
        """Headers of a PATCH at `at`."""
        return {**self._head, "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}


def sites(place: Place) -> list[str]:
    """Schools of the two districts that every inspector has."""
    with place.app(), snapshot() as session:
        found = territory.sites_of_kinds(session, SYSTEM, ("school",))
        return sorted(s.id for s in found if s.district_id in ("370302", "370303"))


@dataclass
class CliPhone:
    """`python -m sync_protocol.client` with a home of its own; each command is a process."""

    home: Path
    url: str
    person: int
    timeout_s: float = 2.0
    said: list[str] = field(default_factory=list)

    def run(self, *words: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """One command."""
        command = [sys.executable, "-m", "sync_protocol.client", "--home", str(self.home), "--url", self.url,
                   "--timeout", str(self.timeout_s), *words]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=seconds)
        self.said.append(f"{words[0]} → {done.returncode} {done.stderr.strip()[-300:]}")
        return done

    def library(self) -> FieldClient:
        """The same installation as a library, for recording many ops quickly."""
        return FieldClient(self.home, self.url, timeout_s=self.timeout_s)

    def sync(self, rounds: int = 20) -> bool:
        """`sync` until it says that everything is done."""
        for _ in range(rounds):
            done = self.run("sync")
            if done.returncode == 0 and json.loads(done.stdout)["done"] is True:
                return True
        return False
