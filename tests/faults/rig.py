"""The fault rig: a prepared city on SQLite or PostgreSQL, the real server as a process group that may be killed, and
a way to look inside. Asserts nothing about the protocol; the checks are in `audit`."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from flask import Flask

from backend.access.scope import SYSTEM
from backend.accounts import tokens
from backend.app import create_app
from backend.cli import setup
from backend.cli.user import add_user
from backend.config import Config
from backend.database import close_app, transaction
from backend.now import now_utc
from backend.ops import jobs
from backend.ops.apply import submit
from backend.ops.work import JOBS
from tests.postgres import Cluster

ROOT = Path(__file__).parents[2]
SECRET = "for-tests-only"
PEOPLE = 8  # inspectors u-f1 … u-f8, each in one team over two districts
START_S = 60.0  # far above what it takes; the machine may be busy with other tests
_numbers = count(1)


@dataclass
class Place:
    """One server's data: a folder, and a database that is in it or in a cluster."""

    folder: Path
    url: str
    cluster: Cluster | None = None
    name: str = ""
    more: dict[str, str] = field(default_factory=dict)

    @property
    def is_sqlite(self) -> bool:
        return self.cluster is None

    def env(self) -> dict[str, str]:
        """The environment of a server of this place."""
        own = {"HUYUAN_DATA": str(self.folder), "HUYUAN_DATABASE_URL": self.url, "HUYUAN_SECRET_KEY": SECRET}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("HUYUAN_")}
        return {**kept, **own, "HUYUAN_WORKER": "off", **self.more}

    def config(self, **more: Any) -> Config:
        """The same settings, for an app of the test's own."""
        return Config(data=self.folder, database_url=self.url, secret_key=SECRET, worker="off", **more)

    @contextmanager
    def app(self, **more: Any) -> Iterator[Flask]:
        """An app of the test's own on this place, inside its context."""
        made = create_app(self.config(**more))
        try:
            with made.app_context():
                yield made
        finally:
            close_app(made)

    def code(self, person: int) -> str:
        """A one-time enrolment code for inspector `person`."""
        with self.app(), transaction() as session:
            return tokens.make_code(session, f"u-f{person}", now_utc())

    def remove(self) -> None:
        """Forget the place."""
        if self.cluster is not None:
            self.cluster.drop(self.name)
        shutil.rmtree(self.folder, ignore_errors=True)


def prepare(folder: Path, url: str) -> None:
    """Migrate, load the city, open a sweep with a team of each inspector."""
    folder.mkdir(parents=True, exist_ok=True)
    config = Config(data=folder, database_url=url, secret_key=SECRET, worker="off")
    setup.migrate(config)
    app = create_app(config)
    with app.app_context():
        setup.demo()
        teams = []
        for n in range(1, PEOPLE + 1):
            add_user(f"f{n}", f"排查员{n}（示例）", "inspector", "", None, None)
            teams.append(
                {
                    "id": f"tf{n}",
                    "name": f"{n}组（示例）",
                    "areas": ["370303", "370302"],
                    "members": [f"u-f{n}"],
                }
            )
        plan = {"title": "演练（示例）", "programmes": ["campus-perimeter"], "teams": teams}
        submit("sweep.open", plan, SYSTEM, ent=("sweep", "faults"))
        while jobs.run_one(JOBS, now_utc()):
            continue
    close_app(app)


@dataclass
class Template:
    """A prepared city, copied for every test that wants one of its own."""

    folder: Path
    cluster: Cluster | None = None

    def copy(self, target: Path) -> Place:
        """A new place with the prepared city in it."""
        if self.cluster is None:
            shutil.copytree(self.folder, target)
            return Place(target, f"sqlite:///{target / 'huyuan.db'}")
        target.mkdir(parents=True)
        name = f"faults_{next(_numbers)}"
        return Place(target, self.cluster.database(name, "huyuan"), self.cluster, name)


class Server:
    """The real server of a place in a process group of its own. Its words are in `log`; its port stays the same."""

    def __init__(self, place: Place) -> None:
        self.place = place
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log, self.ready_path = place.folder / "server.log", "/readyz"
        self.process: subprocess.Popen[bytes] | None = None
        self.workers: list[psutil.Process] = []
        self.start_cpu_s: list[float] = []
        self.start_s: list[float] = []

    def start(self, fault: str = "", before: Sequence[str] = (), more: Mapping[str, str] | None = None) -> None:
        """Start it (with a fault armed, behind the command `before`) and wait until it is ready."""
        env = {**self.place.env(), "HUYUAN_FAULT": fault, **(more or {})}
        command = [*before, *setup.server_command("127.0.0.1", self.port)]
        started = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() - started > START_S:
                raise RuntimeError(f"the server did not start: {self.said()[-2000:]}")
            time.sleep(0.02)
        self.workers = psutil.Process(self.process.pid).children()
        self.start_s.append(time.monotonic() - started)
        self.start_cpu_s.append(self._cpu_s())

    def _cpu_s(self) -> float:
        """Processor time of the whole group so far: what a start costs, however busy the machine is."""
        assert self.process is not None
        first = psutil.Process(self.process.pid)
        return sum(sum(p.cpu_times()[:2]) for p in (first, *first.children(recursive=True)))

    def is_ready(self) -> bool:
        """Whether `ready_path` (/readyz, unless a test says otherwise) answers 200."""
        try:
            return self.ask("GET", self.ready_path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, method: str, path: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None,
            timeout_s: float = 30.0) -> tuple[int, Any, bytes]:  # fmt: skip
        """One plain exchange: (status, headers, body). Raises OSError, HTTPException."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            line.request(method, path, body, dict(headers or {}))
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            line.close()

    def json(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """One JSON exchange: (status, answer)."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        status, _, data = self.ask(method, path, None if body is None else json.dumps(body), headers)
        return status, json.loads(data)

    def kill(self) -> None:
        """kill -9 of everything it started."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait_killed(self, seconds: float = 20.0) -> None:
        """Wait until it has killed itself at an armed point (its worker ends with 137), then end the rest.

        Raises TimeoutError where it did not: the fault was never reached.
        """
        assert self.process is not None
        _, alive = psutil.wait_procs(self.workers, timeout=seconds)
        self.kill()
        if alive:
            raise TimeoutError("the armed fault was not reached")

    def stop(self, seconds: float = 40.0) -> int:
        """Stop as an operator would; returns its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                self.kill()

    def end(self) -> None:
        """Gone at once, as after a loss of power; nothing where it is gone already. (In order it takes a second to stop,
        for the sake of requests that are under way: test_restarts has that.)"""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def said(self) -> str:
        """Everything it wrote."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


@contextmanager
def serving(place: Place, **more: Any) -> Iterator[Server]:
    """A server of the place, ended afterwards without a word: what it acknowledged must be there all the same."""
    server = Server(place)
    try:
        server.start(**more)
        yield server
    finally:
        server.end()
