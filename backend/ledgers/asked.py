"""Which moment a reader of the ledgers asks for: now, an instant, or a day of the city. No database but the clock of moments."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from backend.errors import Invalid
from backend.ledgers import sums


@dataclass(frozen=True, slots=True)
class Moment:
    """`today`: the day in the city, by which lateness is judged. `at` and `clock`: None for now."""

    today: date
    at: datetime | None = None
    clock: int | None = None


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant after a day of the city."""
    return datetime.combine(day + timedelta(days=1), time(), zone)


def moment(session: Session, text: str | None, now: datetime, zone: ZoneInfo) -> Moment:
    """`text` is empty (now), a day (its end; today: now), or an instant with its zone (RFC 3339).

    Raises Invalid for what is no moment, lies ahead, or before the ledgers' history.
    """
    today = now.astimezone(zone).date()
    if not text or text == today.isoformat():
        return Moment(today)
    at, day = _parsed(text, zone)
    if at > now:
        raise _wrong("as of a moment that is still to come")
    return Moment(day, at, sums.clock_at(session, at))


def _parsed(text: str, zone: ZoneInfo) -> tuple[datetime, date]:
    try:
        if len(text) == len("2026-11-24"):
            day = date.fromisoformat(text)
            return end_of(day, zone) - timedelta(milliseconds=1), day
        at = datetime.fromisoformat(text.replace(" ", "+"))
        if at.tzinfo is None:
            raise ValueError("an instant has a zone")
        return at, at.astimezone(zone).date()
    except (ValueError, OverflowError) as fault:
        raise _wrong("a day (2026-11-24) or an instant with its zone (2026-11-24T18:00:00+08:00)") from fault


def _wrong(detail: str) -> Invalid:
    return Invalid(errors=[{"pointer": "?as_of", "code": "invalid", "detail": detail}])
