"""The same vectors under Node: the rules written a second time, in another language, from the text of PROTOCOL.md."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "js"
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not on this machine")
def test_a_second_implementation_in_another_language_runs_the_same_vectors() -> None:
    done = subprocess.run([str(NODE), "--test", str(HERE)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "# fail 0" in done.stdout and "# pass 0" not in done.stdout
