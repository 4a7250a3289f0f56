"""An answer that is made whole in a file without a name before it is sent: a slow line keeps no view of the database open.

What is in it is its maker's.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import IO

from flask import Response, current_app
from sqlalchemy.orm import Session

from backend.database import snapshot

BLOCK_BYTES = 65_536


def answer(write: Callable[[Session, IO[bytes]], None], media_type: str) -> Response:
    """The response with whatever `write` puts, from one snapshot, into a binary file that can seek. Raises as `write`."""
    with ExitStack() as unless_made:
        file = unless_made.enter_context(tempfile.TemporaryFile(dir=current_app.extensions["config"].data))
        with snapshot() as session:
            write(session, file)
        unless_made.pop_all()
    made = Response(_sent(file), mimetype=media_type, headers={"Content-Length": str(file.tell())})
    made.call_on_close(file.close)
    return made


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        yield block
