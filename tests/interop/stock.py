"""The stock tus clients and the reference server, each a process of its own, and what this folder needs to run at all.
Checks nothing."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
NODE = shutil.which("node") or "node"
NEEDS_NODE = pytest.mark.skipif(
    shutil.which("node") is None or not (HERE / "node_modules" / "tus-js-client").is_dir(),
    reason="needs Node and the packages of tests/interop (make test-full installs them: npm ci --prefix tests/interop --ignore-scripts)",
)
# tuspy 1.1.0 as it is published. Of a creation whose answer was lost it knows nothing more, so the phone begins anew: same photo,
# same upload.
TUSPY = """
import sys
from tusclient import client
from tusclient.exceptions import TusCommunicationError
url, token, path, sha, chunk = sys.argv[1:]
mine = client.TusClient(url, headers={"Authorization": f"Bearer {token}"})
def upload():
    mine.uploader(path, chunk_size=int(chunk), retries=5, retry_delay=0.05, metadata={"sha256": sha}).upload()
try:
    upload()
except TusCommunicationError as lost:
    print(lost, file=sys.stderr)
    upload()
"""


def by_js(endpoint: str, token: str, path: Path, sha: str, chunk: int, with_creation: bool) -> dict[str, Any]:
    """One upload by tus-js-client: {sent, heard, error, url}."""
    told = {"endpoint": endpoint, "token": token, "path": str(path), "sha256": sha, "chunkSize": chunk, "withCreation": with_creation}
    done = _run([NODE, str(HERE / "upload.mjs"), json.dumps(told)])
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def by_tuspy(endpoint: str, token: str, path: Path, sha: str, chunk: int) -> None:
    """One upload by tuspy. Raises AssertionError where it gave up."""
    _run([sys.executable, "-c", TUSPY, endpoint, token, str(path), sha, str(chunk)])


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@contextmanager
def reference(folder: Path, most_bytes: int) -> Iterator[int]:
    """@tus/server with its file store; its port on 127.0.0.1."""
    command = [NODE, str(HERE / "reference.mjs"), str(folder), str(most_bytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(20)
