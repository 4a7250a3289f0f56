"""`worker`: background jobs in a process of their own, beside a server with HUYUAN_WORKER=off. No job is named here."""

import signal
from typing import Any

import click
from flask import current_app

from backend.app import LOOKS
from backend.cli import with_app
from backend.notices import sender
from backend.now import now_utc
from backend.ops.jobs import Worker, run_one
from backend.ops.work import JOBS


@click.command("worker")
@click.option("--drain", is_flag=True, help="end when nothing is due any more")
@with_app
def worker(drain: bool) -> None:
    """Run background jobs until SIGTERM (or Ctrl-C), which lets the job in hand finish."""
    if drain:
        while run_one(JOBS, now_utc()):
            continue
        return
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    loop = Worker(app, JOBS, now_utc, LOOKS)

    def stop(*_: Any) -> None:
        loop.stop()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    click.echo("worker: ready", err=True)
    sender.start(app, now_utc)
    loop.run()  # in this very thread, so that the process ends when the loop does
