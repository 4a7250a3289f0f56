"""How the reference client goes about a sync: the order of its steps, and how long it waits between tries. No rule of
the protocol but P81 and P86."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from sync_protocol.client.transport import Offline, Refused, ServerBusy
from sync_protocol.client.uploader import UploadReport


@dataclass(frozen=True, slots=True)
class Pace:
    """Full-jitter backoff: the n-th pause is drawn from 0 to base · 2ⁿ seconds, at most `most_s`."""

    base_s: float
    most_s: float


QUICK, PATIENT = Pace(0.05, 5.0), Pace(2.0, 900.0)  # for tests and people who watch; for a phone in a pocket
SPREAD_S = 120.0


class Syncing(Protocol):
    """What a round needs of a client."""

    last_trouble: str | None

    def has_lost_time(self) -> bool: ...
    def hello(self) -> object: ...
    def push_all(self) -> None: ...
    def upload(self) -> UploadReport: ...
    def pull(self) -> bool: ...
    def outbox_len(self) -> int: ...


def start_delay_s(is_urgent: bool, dice: Random, spread_s: float = SPREAD_S) -> float:
    """P86: how long to wait when the line has come back, as it has for everybody around."""
    return 0.0 if is_urgent else dice.uniform(0, spread_s)


def run(
    client: Syncing, tries: int, wait: Callable[[float], None], dice: Random, until_quiet: bool, pace: Pace = QUICK
) -> bool:
    """At most `tries` rounds; True when everything is over and the view complete. Raises Refused.

    Full-jitter backoff while there is no answer; never before a Retry-After is over (P86).
    """
    for attempt in range(tries):
        pause_s = dice.uniform(0, min(pace.base_s * 2 ** min(attempt, 30), pace.most_s))
        try:
            is_over, is_quiet = _round(client)
            if is_over or not until_quiet:
                return is_quiet
        except Offline as fault:
            client.last_trouble = str(fault)
        except ServerBusy as busy:
            client.last_trouble = str(busy)
            pause_s = busy.retry_after_s + dice.uniform(0, max(busy.retry_after_s, pace.base_s))
        if attempt + 1 < tries:
            wait(pause_s)
    return False


def _round(client: Syncing) -> tuple[bool, bool]:
    """(nothing more can be done now, nothing is left). A photo in trouble does not hold up the pull."""
    if client.has_lost_time():
        client.hello()  # P81: what was recorded since the reboot can then be dated
    client.push_all()
    trouble: ServerBusy | Refused | None = None
    report = UploadReport(0, {})
    try:
        report = client.upload()
    except (ServerBusy, Refused) as fault:
        trouble = fault
    while not client.pull():
        continue
    if trouble:
        raise trouble
    is_sent = client.outbox_len() == 0
    return is_sent and report.waiting == len(report.refused), is_sent and not report.waiting
