"""Every kind of job and who does it. The one table of the worker; what asks for a job is in reactions.py."""

from collections.abc import Callable, Mapping
from datetime import datetime

from backend.ledgers import lines
from backend.notices import fanout, mail, outbox
from backend.ops import endings, overdue, terms, unpark
from backend.photos import pipeline

# seconds between two runs → what is then looked at; each may run twice without harm
PERIODIC: tuple[tuple[float, Callable[[datetime], object]], ...] = (
    (fanout.EVERY_S, fanout.deliver),
    (60.0, mail.digest),
    (3600.0, endings.end_failing_webhooks),
    (86400.0, outbox.forget),
    (3600.0, unpark.give_up),
    (3600.0, lines.mark),
    (900.0, terms.settle),
    (3600.0, overdue.escalate),
    (86400.0, unpark.look_again),
)
JOBS: Mapping[str, Callable[..., None]] = {
    "photo.derive": pipeline.derive,
    "ops.after_release": unpark.after_release,
    "ops.after_grant": unpark.after_grant,
    "ops.after_restore": unpark.after_restore,
    "ops.release": unpark.release,
}
