"""The threads that send: one for mails, one for webhooks, so that neither waits for the other's receivers. Stopped, they
finish what is in hand; killed, a lease runs out and it is sent again."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
from flask import Flask

from backend.notices import mail, webhooks
from backend.trouble import problem_of

log = structlog.get_logger(__name__)
WAYS: Mapping[str, Callable[[datetime], bool]] = {"mail": mail.send_one, "webhook": webhooks.send_one}
IDLE_S, TROUBLE_S = 1.0, 5.0


class Sender(threading.Thread):
    """Sends what is due, one after the other, until stopped."""

    def __init__(self, app: Flask, way: str, clock: Callable[[], datetime]) -> None:
        super().__init__(name=f"huyuan-{way}", daemon=True)
        self._app, self._send, self._clock, self._stop_asked = app, WAYS[way], clock, threading.Event()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            wait_s = self._step()
            if wait_s:
                self._stop_asked.wait(wait_s)

    def _step(self) -> float:
        try:
            with self._app.app_context():
                return 0.0 if self._send(self._clock()) else IDLE_S
        except Exception as fault:
            if problem_of(fault) is None:
                log.exception("sender_trouble", way=self.name)
            return TROUBLE_S

    def stop(self) -> None:
        """End after what is in hand."""
        self._stop_asked.set()


def start(app: Flask, clock: Callable[[], datetime]) -> None:
    """Both ways, until the app is stilled."""
    for way in WAYS:
        sender = Sender(app, way, clock)
        sender.start()
        app.extensions.setdefault("closers", []).append(sender.stop)
