"""A server that is backed up, lost and put back, with the commands that an operator runs; devices for it.
Asserts nothing about the protocol."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.exports import ledgers as exports
from backend.territory import queries as territory
from sync_protocol.client import timing
from sync_protocol.client.session import FieldClient
from tests.faults.phones import CODES
from tests.faults.rig import ROOT, Place, Server

TEMPLATE = {"programme": "campus-perimeter", "template_version": 1}
DAY = date(2026, 12, 1)  # on which deadlines are counted in every ledger that is compared
VARYING = {"number", "found_on", "closed_on", "due_on", "as_of"}


@dataclass
class Stage:
    """A place, its server and its clock. `folder` is for backups and phones."""

    place: Place
    folder: Path
    server: Server = field(init=False)
    phones: list[FieldClient] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clock = self.folder / "clock"
        self.clock.write_text("0")
        self.server = Server(self.place)

    @property
    def clocked(self) -> list[str]:
        """The words before a command that make its clock ours."""
        return [sys.executable, "-m", "tests.journeys.clocked", str(self.clock)]

    def start(self) -> None:
        self.server.start(before=self.clocked)

    def later(self, hours: float) -> None:
        """The clock of server and phones goes on."""
        self.clock.write_text(str(float(self.clock.read_text()) + hours * 3600))

    def now(self) -> datetime:
        return datetime.now().astimezone() + timedelta(seconds=float(self.clock.read_text()))

    def move_to(self, place: Place) -> None:
        """The same address, another place behind it."""
        port = self.server.port
        self.place, self.server = place, Server(place)
        self.server.port, self.server.url = port, f"http://127.0.0.1:{port}"

    def mono(self) -> int:
        """Milliseconds on a phone's clock that never jumps: it went on with ours."""
        return time.monotonic_ns() // 1_000_000 + int(float(self.clock.read_text()) * 1000)

    def run(self, *words: str, code: int = 0) -> dict[str, Any]:
        """`python -m backend … --json` on this place, at our clock; what it printed. Raises where its exit
        code is not `code`."""
        done = self.process(*words)
        out, said = done.communicate(timeout=120)
        if done.returncode != code:
            raise RuntimeError(f"{words} → {done.returncode}: {said[-2000:]!r} {out[-2000:]!r}")
        return json.loads(out) if out.strip() else {"said": said.decode()}

    def process(self, *words: str) -> "subprocess.Popen[bytes]":
        """The same, only started."""
        command = [*self.clocked, sys.executable, "-m", "backend", *words, "--json"]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=ROOT, env=self.place.env(), stdout=pipe, stderr=pipe, start_new_session=True
        )

    def restored(self, backup: str, place: Place) -> dict[str, Any]:
        """Put a backup into another, empty place; the report."""
        place.folder.mkdir(parents=True, exist_ok=True)
        return Stage(place, self.folder / "restoring").run("restore", backup)

    def phone(self, person: int, name: str = "", is_pulled: bool = True) -> FieldClient:
        """A phone of inspector `person`, enrolled and, unless told otherwise, pulled."""
        home = self.folder / (name or f"phone{person}")
        pulse = timing.Pulse(self.mono, f"boot-{person}")
        client = FieldClient(home, self.server.url, clock=self.now, pulse=pulse)
        client.enrol(self.place.code(person))
        self.phones.append(client)
        assert not is_pulled or client.sync(tries=5), client.last_trouble
        return client

    def ledger(self) -> Any:
        """Every list and roll-up, without what depends on the order in which ops came."""
        out = self.folder / "ledger.json"
        with self.place.app(), snapshot() as session:
            exports.write(session, SYSTEM, territory.city_id(session), DAY, "json", out)
        return plain(json.loads(out.read_text(encoding="utf-8")))


def plain(found: Any) -> Any:
    if isinstance(found, dict):
        return {k: plain(v) for k, v in found.items() if k not in VARYING}
    return [plain(row) for row in found] if isinstance(found, list) else found


@contextmanager
def stage(place: Place, folder: Path) -> Iterator[Stage]:
    """A served place whose clock a test moves."""
    made = Stage(place, folder)
    made.start()
    try:
        yield made
    finally:
        for phone in made.phones:
            phone.close()
        made.server.end()


def inspect(
    client: FieldClient, person: int, failed: Sequence[str] = (), photos: Sequence[Path] = (), site: str = ""
) -> str:
    """One checklist at an open task of the phone (or at `site`), its failed items with these photos; the
    op's id."""
    state = client.store.state("base")["base"]
    at = site or min(
        row["data"]["site"]
        for key, row in state.items()
        if key.startswith("task:") and row["data"]["state"] == "open"
    )
    shas = [client.store.keep_photo(path)["sha256"] for path in photos]
    args = {
        "task_id": f"faults:{at}:campus-perimeter", "site_id": at, **TEMPLATE,
        "team_id": f"tf{person}", "answers": {code: "fail" if code in failed else "pass" for code in CODES},
        "remarks": dict.fromkeys(failed, "现场查看（示例）"),
        "photos": dict.fromkeys(failed[:1], shas) if shas else {},
        "fix": {"lon": 118.0448, "lat": 36.807, "accuracy_m": 8, "crs": "wgs84"},
    }  # fmt: skip
    return client.record("inspection.submit", ("inspection", str(uuid.uuid4())), args, photos)


def report(client: FieldClient, person: int, photo: Path | None = None) -> str:
    """One hazard seen on the way, without a fix: its place can only come from the photo."""
    shas = [client.store.keep_photo(photo)["sha256"]] if photo else []
    args = {"item": "A213", **TEMPLATE, "site_id": None, "team_id": f"tf{person}",
            "fix": None, "remark": "路边发现（示例）", "photos": shas}  # fmt: skip
    return client.record("problem.report", ("finding", str(uuid.uuid4())), args, [photo] if photo else [])
