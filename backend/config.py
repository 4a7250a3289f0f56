"""Every setting of the server, read from the environment once (`HUYUAN_*`). No other module reads the environment.

The table SETTINGS is printed by `python -m backend config` and compared with the operator's guide by a test.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from environs import Env

# key: (default, what it is)
SETTINGS: dict[str, tuple[str, str]] = {
    "HUYUAN_DATA": ("var", "the one data directory: database, photos, secret, logs"),
    "HUYUAN_DATABASE_URL": (
        "",
        "SQLAlchemy URL; empty: SQLite in the data directory; postgresql://… uses psycopg 3",
    ),
    "HUYUAN_SECRET_KEY": (
        "",
        "signs cookies and cursors; empty: made once and kept in the data directory (0600)",
    ),
    "HUYUAN_SECRET_KEY_FILE": ("", "read the secret from this file instead"),
    "HUYUAN_FORMER_SECRET_KEYS": (
        "",
        "secrets in use before this one, separated by commas: time tokens that phones still hold stay valid",
    ),
    "HUYUAN_LOG_LEVEL": ("INFO", "DEBUG, INFO, WARNING or ERROR; logs are JSON lines on standard error"),
    "HUYUAN_WORKER": (
        "thread",
        "thread: background jobs run inside the server; off: run `python -m backend worker`",
    ),
    "HUYUAN_SECURE_COOKIES": ("0", "1 behind TLS: the session cookie is sent over HTTPS only"),
    "HUYUAN_TIMEZONE": ("Asia/Shanghai", "the city's time zone, in which days are counted"),
    "HUYUAN_MAX_OPS": ("200", "ops in one push"),
    "HUYUAN_MAX_REQUEST_BYTES": ("262144", "bytes of one push as sent"),
    "HUYUAN_MAX_INFLATED_BYTES": ("1048576", "bytes of one push after inflating"),
    "HUYUAN_MAX_OP_BYTES": ("65536", "bytes of one op's body"),
    "HUYUAN_MAX_PHOTO_BYTES": ("33554432", "bytes of one photo"),
    "HUYUAN_DRAIN_S": (
        "0",
        "seconds from SIGTERM, when /readyz becomes 503, to the end of taking new requests",
    ),
    "HUYUAN_STALL_S": (
        "60",
        "seconds without a byte after which a connection is given up; what arrived is kept",
    ),
    "HUYUAN_FAULT": (
        "",
        "for tests of crashes only: point:n, see backend/faults.py; refused with secure cookies",
    ),
    "HUYUAN_LANES": (
        "push=40/6 pull=24/6 blobs=32/32 urgent=8/2",
        "requests let in / worked on at a time, by lane; who finds one full is told when to come back",
    ),
    "HUYUAN_PUSH_SECONDS": ("20", "a push starts no new lot of ops after this long and says where it stopped"),
    "HUYUAN_POKE_LISTENERS": (
        "32",
        "devices that may listen for changes at a time, in each process; each keeps one of the server's 160 threads",
    ),
    "HUYUAN_POKE_LIFE_S": ("300", "a device that listens is let go after about so many seconds and comes again"),
    "HUYUAN_SILENT_AFTER_S": (
        "129600",
        "a device that was not heard of for so many seconds is silent (sync health): a day offline and half a day's grace",
    ),
    "HUYUAN_PUBLIC_URL": (
        "http://127.0.0.1:8000",
        "where others reach this server; printed in the QR code of every document issued from then on",
    ),
    "HUYUAN_MAIL_FROM": (
        "",
        "who mails are from, as an address; empty: nobody is written to",
    ),
    "HUYUAN_SMTP_HOST": (
        "127.0.0.1",
        "the mail server that takes them",
    ),
    "HUYUAN_SMTP_PORT": (
        "587",
        "its port",
    ),
    "HUYUAN_SMTP_TLS": (
        "starttls",
        "starttls, tls (from the first byte) or off; certificates are checked",
    ),
    "HUYUAN_SMTP_USER": (
        "",
        "sign in to it as; empty: without",
    ),
    "HUYUAN_SMTP_PASSWORD_FILE": (
        "",
        "read the password for it from this file",
    ),
    "HUYUAN_DIGEST_HOUR": (
        "8",
        "hour of a working day, in the city's zone, from which the day's digest is mailed",
    ),
    "HUYUAN_WEBHOOK_INSIDE": (
        "",
        "networks (CIDR, separated by commas) that webhooks may reach although they are not public, over http too",
    ),
    "HUYUAN_WEBHOOK_GIVE_UP_DAYS": (
        "5",
        "a webhook that failed for so many days is switched off, and its owner told",
    ),
    "HUYUAN_MIN_FREE_BYTES": ("268435456", "uploads are refused (507) below this much free disk"),
}


def read_lanes(text: str) -> dict[str, tuple[int, int]]:
    """`push=40/6 …` → {"push": (40, 6), …}. Raises ValueError where a lane is missing, unknown or without places."""
    found = {}
    for word in text.split():
        name, _, sizes = word.partition("=")
        most, _, working = sizes.partition("/")
        found[name] = (int(most), int(working))
    if set(found) != {"push", "pull", "blobs", "urgent"} or any(n < 1 for pair in found.values() for n in pair):
        raise ValueError(f"HUYUAN_LANES: push, pull, blobs and urgent, each most/working, not {text!r}")
    return found


@dataclass(frozen=True, slots=True)
class Mail:
    """How mails leave; `sender` empty: not at all. `password` is never printed."""

    sender: str = ""
    host: str = "127.0.0.1"
    port: int = 587
    tls: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    digest_hour: int = 8


@dataclass(frozen=True, slots=True)
class Webhooks:
    """`inside`: networks that may be reached although they are not public."""

    inside: tuple[IPv4Network | IPv6Network, ...] = ()
    give_up_days: int = 5


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one server. Paths are absolute; sizes in bytes."""

    data: Path
    database_url: str
    secret_key: str
    log_level: str = "INFO"
    worker: str = "thread"
    secure_cookies: bool = False
    timezone: str = "Asia/Shanghai"
    max_ops: int = 200
    max_request_bytes: int = 262_144
    max_inflated_bytes: int = 1_048_576
    max_op_bytes: int = 65_536
    max_photo_bytes: int = 33_554_432
    min_free_bytes: int = 268_435_456
    former_secrets: tuple[str, ...] = ()
    drain_s: float = 0.0
    stall_s: float = 60.0
    fault: str = ""
    lanes: Mapping[str, tuple[int, int]] = field(default_factory=lambda: read_lanes(SETTINGS["HUYUAN_LANES"][0]))
    push_seconds: float = 20.0
    silent_after_s: float = 129_600.0
    poke_listeners: int = 32
    poke_life_s: float = 300.0
    public_url: str = "http://127.0.0.1:8000"
    mail: Mail = Mail()
    webhooks: Webhooks = Webhooks()

    @property
    def photos(self) -> Path:
        return self.data / "photos"

    @property
    def rescue(self) -> Path:
        return self.data / "rescue"

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")


def _secret(env: Env, data: Path) -> str:
    file_name = env.str("HUYUAN_SECRET_KEY_FILE", "")
    if file_name:
        return Path(file_name).read_text(encoding="utf-8").strip()
    given = env.str("HUYUAN_SECRET_KEY", "")
    if given:
        return str(given)
    kept = data / "secret.key"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(48), encoding="utf-8")
    return kept.read_text(encoding="utf-8").strip()


def _database_url(env: Env, data: Path, is_elsewhere: bool) -> str:
    """The environment's database belongs to the environment's data directory: another directory has its own."""
    given = "" if is_elsewhere else env.str("HUYUAN_DATABASE_URL", "")
    return str(given) or f"sqlite:///{data / 'huyuan.db'}"


def _mail(env: Env) -> Mail:
    file_name, tls = env.str("HUYUAN_SMTP_PASSWORD_FILE", ""), env.str("HUYUAN_SMTP_TLS", "starttls")
    if tls not in ("starttls", "tls", "off"):
        raise ValueError(f"HUYUAN_SMTP_TLS: starttls, tls or off, not {tls!r}")
    return Mail(
        sender=env.str("HUYUAN_MAIL_FROM", ""), host=env.str("HUYUAN_SMTP_HOST", "127.0.0.1"),
        port=env.int("HUYUAN_SMTP_PORT", 587), tls=tls, user=env.str("HUYUAN_SMTP_USER", ""),
        password=Path(file_name).read_text(encoding="utf-8").strip() if file_name else "",
        digest_hour=env.int("HUYUAN_DIGEST_HOUR", 8),
    )  # fmt: skip


def _webhooks(env: Env) -> Webhooks:
    inside = filter(None, env.str("HUYUAN_WEBHOOK_INSIDE", "").split(","))
    return Webhooks(tuple(ip_network(each.strip()) for each in inside), env.int("HUYUAN_WEBHOOK_GIVE_UP_DAYS", 5))


def load(data_directory: Path | None = None, database_url: str = "") -> Config:
    """Read the environment (and nothing else; what is given stands before it). Creates the data directory and the
    secret on first use.

    Raises environs.EnvError where a value cannot be read.
    """
    env = Env()
    data = (data_directory or Path(env.str("HUYUAN_DATA", "var"))).resolve()
    data.mkdir(parents=True, exist_ok=True)
    return Config(
        data=data,
        database_url=database_url or _database_url(env, data, is_elsewhere=data_directory is not None),
        secret_key=_secret(env, data),
        log_level=env.str("HUYUAN_LOG_LEVEL", "INFO"),
        worker=env.str("HUYUAN_WORKER", "thread"),
        secure_cookies=env.bool("HUYUAN_SECURE_COOKIES", False),
        timezone=env.str("HUYUAN_TIMEZONE", "Asia/Shanghai"),
        max_ops=env.int("HUYUAN_MAX_OPS", 200),
        max_request_bytes=env.int("HUYUAN_MAX_REQUEST_BYTES", 262_144),
        max_inflated_bytes=env.int("HUYUAN_MAX_INFLATED_BYTES", 1_048_576),
        max_op_bytes=env.int("HUYUAN_MAX_OP_BYTES", 65_536),
        max_photo_bytes=env.int("HUYUAN_MAX_PHOTO_BYTES", 33_554_432),
        drain_s=env.float("HUYUAN_DRAIN_S", 0.0),
        stall_s=env.float("HUYUAN_STALL_S", 60.0),
        fault=env.str("HUYUAN_FAULT", ""),
        min_free_bytes=env.int("HUYUAN_MIN_FREE_BYTES", 268_435_456),
        lanes=read_lanes(env.str("HUYUAN_LANES", SETTINGS["HUYUAN_LANES"][0])),
        push_seconds=env.float("HUYUAN_PUSH_SECONDS", 20.0),
        poke_listeners=env.int("HUYUAN_POKE_LISTENERS", 32),
        poke_life_s=env.float("HUYUAN_POKE_LIFE_S", 300.0),
        public_url=env.str("HUYUAN_PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/"),
        silent_after_s=env.float("HUYUAN_SILENT_AFTER_S", 129_600.0),
        mail=_mail(env),
        webhooks=_webhooks(env),
        former_secrets=tuple(filter(None, env.str("HUYUAN_FORMER_SECRET_KEYS", "").split(","))),
    )
