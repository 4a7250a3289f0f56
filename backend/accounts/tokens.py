"""Secrets: made here, kept and compared as hashes. Issuing one is one of the three writes that are no op."""

import hashlib
import secrets
from datetime import datetime, timedelta
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.accounts.models import Device, EnrolCode, User, WebSession
from backend.errors import Problem

CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # nothing that is read wrongly over a telephone
CODE_LIFE_H = 72
SESSION_LIFE_H = 12
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's second choice: 46 ms
_hashing = BoundedSemaphore(4)  # so that sign-ins cannot take the whole machine


@cache
def _nobody() -> str:
    """What a wrong login is compared with, made when somebody first signs in: 46 ms that no command need wait for."""
    return _hasher.hash("nobody has this password")


def digest(secret: str) -> str:
    """SHA-256 of a random secret; enough for 256 bits of entropy (argon2 on each sync would cost 46 ms)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hash_password(password: str) -> str:
    """argon2id hash. Raises Problem invalid where it is shorter than 12 or longer than 128 characters."""
    if not 12 <= len(password) <= 128:
        raise Problem("invalid", "a password has 12 to 128 characters")
    with _hashing:
        return _hasher.hash(password)


def check_password(session: Session, login: str, password: str) -> User | None:
    """The active user with this login and password, else None after the same time."""
    user = session.scalars(visible(User, SYSTEM).where(User.login == login[:80], User.is_active)).first()
    with _hashing:
        nobody = _nobody()
        try:
            _hasher.verify((user.password_hash if user else None) or nobody, password[:128])
        except (VerifyMismatchError, InvalidHashError):
            return None
    return user if user and user.password_hash else None


def make_code(session: Session, user_id: str, now: datetime) -> str:
    """A one-time enrolment code for a user, valid CODE_LIFE_H hours."""
    code = "".join(secrets.choice(CODE_LETTERS) for _ in range(10))
    session.execute(
        insert(EnrolCode).values(code_hash=digest(code), user_id=user_id, expires_at=now + timedelta(hours=CODE_LIFE_H))
    )
    return code


def redeem(session: Session, code: str, install_id: str, app: str, now: datetime) -> tuple[str, str, User]:
    """Use a code up: (device id, token, user).

    The same installation again within the code's life (its answer was lost) is told the same device with a fresh token.
    The token before it stays good until the fresh one is used: a request may also have been doubled on its way.
    Raises Problem code_unknown for a code that is unknown, over, or used by another installation.
    """
    where = (EnrolCode.code_hash == digest(code.strip().upper()), EnrolCode.expires_at > now)
    found = session.scalars(visible(EnrolCode, SYSTEM).where(*where).with_for_update()).first()
    user = found and session.scalars(visible(User, SYSTEM).where(User.id == found.user_id, User.is_active)).first()
    if not found or not user:
        raise Problem("code_unknown")
    token = f"hy_dev_{secrets.token_urlsafe(32)}"
    if found.used_at is None:
        found.used_at, found.device_id = now, f"d-{secrets.token_hex(8)}"
        made = {"id": found.device_id, "user_id": user.id, "install_id": install_id, "enrolled_at": now}
        session.execute(insert(Device).values(**made, token_hash=digest(token), app=app))
    else:
        same = (Device.id == found.device_id, Device.install_id == install_id, Device.is_revoked.is_(False))
        device = session.scalars(visible(Device, SYSTEM).where(*same)).first()
        if device is None:
            raise Problem("code_unknown")
        device.former_hash, device.token_hash, device.app = device.token_hash, digest(token), app
    return str(found.device_id), token, user


def settle(session: Session, device_id: str) -> None:
    """The device has used its newest token: the one before it ends."""
    session.execute(update(Device).where(Device.id == device_id).values(former_hash=None))


def open_session(session: Session, user_id: str, now: datetime) -> tuple[str, str]:
    """A web session: (cookie value, CSRF token). Old ones of the past are swept on the way."""
    session.execute(delete(WebSession).where(WebSession.expires_at < now))
    cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    session.execute(
        insert(WebSession).values(
            id_hash=digest(cookie),
            user_id=user_id,
            csrf=csrf,
            expires_at=now + timedelta(hours=SESSION_LIFE_H),
        )
    )
    return cookie, csrf


def close_session(session: Session, cookie: str) -> None:
    """Sign out: the session is gone at once."""
    session.execute(delete(WebSession).where(WebSession.id_hash == digest(cookie)))


def revoke_device(session: Session, device_id: str) -> bool:
    """A lost device: its next request is answered 401 device_revoked."""
    revoked = update(Device).where(Device.id == device_id).values(is_revoked=True).returning(Device.id)
    return session.execute(revoked).first() is not None
