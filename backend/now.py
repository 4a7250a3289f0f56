"""The server's clock, looked at once per request and passed down. Nothing else."""

import time
from datetime import datetime

from backend.database import from_ms


def now_utc() -> datetime:
    """The time, aware and in UTC; to the millisecond, as every time is kept."""
    return from_ms(time.time_ns() // 1_000_000)
