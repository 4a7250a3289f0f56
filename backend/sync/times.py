"""The server's half of time: tokens it signs, and the witness that reads what devices say of theirs (P80–P83).

No decision about an op is made here, and none may be made from what is found here (I15).
"""

import secrets
from datetime import datetime
from functools import lru_cache

from backend.config import Config
from backend.database import to_ms
from backend.now import now_utc
from sync_protocol.evidence import Witness
from sync_protocol.timetoken import NONCE_BYTES, derived, issue


@lru_cache(maxsize=16)
def _keys(secret: str, former: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(derived(one.encode()) for one in (secret, *former))


def stamp(config: Config, t1: datetime, replica: object = "") -> dict[str, int | str]:
    """`time` of an answer: when its request had come, when it leaves (ms), and a token of the latter."""
    t2 = to_ms(now_utc())
    name = replica if isinstance(replica, str) and len(replica) <= 64 else ""
    key = _keys(config.secret_key, config.former_secrets)[0]
    return {"t1": to_ms(t1), "t2": t2, "tok": issue(t2, secrets.token_bytes(NONCE_BYTES), name, key)}


def witness(config: Config, received_at: datetime, present: object) -> Witness:
    """The reader of the evidence of one push; tokens of a former secret count too."""
    return Witness(_keys(config.secret_key, config.former_secrets), to_ms(received_at), _wall_ms, present)


def _wall_ms(text: str) -> int | None:
    try:
        wall = datetime.fromisoformat(text)
        return None if wall.tzinfo is None else to_ms(wall)
    except (ValueError, OverflowError):
        return None
