"""A server on a real port with the demo city, and devices for it. Shared by the journeys; asserts nothing."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.access.scope import SYSTEM
from backend.accounts import tokens
from backend.app import create_app
from backend.cli import setup
from backend.cli.field_day import Server
from backend.cli.user import add_user
from backend.config import Config
from backend.database import close_app, transaction
from backend.now import now_utc
from backend.ops.apply import submit
from sync_protocol.client.session import FieldClient
from tests.contract import CheckedTransport

PHOTOS = Path(__file__).parents[1] / "photos"


@dataclass
class Stage:
    """One running server, its app (for looking inside) and a folder for devices."""

    app: Any
    server: Server
    folder: Path

    def device(self, login: str, name: str = "phone") -> FieldClient:
        """A device enrolled for a person."""
        with self.app.app_context(), transaction() as session:
            code = tokens.make_code(session, f"u-{login}", now_utc())
        client = FieldClient(self.folder / name, self.server.url, transport=CheckedTransport(self.server.url))
        client.enrol(code, f"{name}-install")
        return client


def configure(folder: Path) -> Config:
    """Settings of a throw-away server; the environment carries them to its process."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["HUYUAN_DATA"] = str(folder)
    os.environ.pop("HUYUAN_DATABASE_URL", None)
    return Config(data=folder, database_url=f"sqlite:///{folder / 'huyuan.db'}", secret_key="for-tests-only", worker="off")


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Migrate, load the city, open a sweep for one inspector over two districts, serve."""
    os.environ["HUYUAN_SECRET_KEY"] = "for-tests-only"
    config = configure(folder)
    setup.migrate(config)
    app = create_app(config)
    with app.app_context():
        setup.demo()
        add_user("ins1", "排查员（示例）", "inspector", "", None, None)
        team = {"id": "t1", "name": "一组（示例）", "areas": ["370303", "370302"], "members": ["u-ins1"]}
        submit("sweep.open", {"title": "演练", "programmes": ["campus-perimeter"], "teams": [team]}, SYSTEM, ent=("sweep", "s1"))
    server = Server()
    try:
        yield Stage(app, server, folder / "devices")
    finally:
        server.stop()
        close_app(app)
        os.environ.pop("HUYUAN_DATA", None)
        os.environ.pop("HUYUAN_SECRET_KEY", None)


def checklist(client: FieldClient, site: str, failed: dict[str, list[str]], **more: Any) -> dict[str, Any]:
    """args of an inspection of `site` with the failed items and their photos' hashes."""
    template = next(t for t in client.rows("template") if t["programme"] == "campus-perimeter")
    at = next(s["at"] for s in client.rows("site") if s["id"] == site)
    answers = {i["code"]: "fail" if i["code"] in failed else "pass" for i in template["items"]}
    args = {
        "task_id": f"s1:{site}:campus-perimeter", "site_id": site, "programme": "campus-perimeter",
        "template_version": template["version"], "team_id": "t1", "answers": answers, "photos": failed,
        "fix": {"lon": at[0], "lat": at[1], "accuracy_m": 8, "crs": "wgs84"},
    }  # fmt: skip
    return {**args, **more}


def new_id() -> str:
    """An entity id as a device mints it."""
    return str(uuid.uuid4())


def run_cli(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m backend …` against a data directory."""
    env = {**os.environ, "HUYUAN_DATA": str(folder)}
    return subprocess.run([sys.executable, "-m", "backend", *words], capture_output=True, text=True, env=env, check=False)


def until(step: Any, seconds: float = 10.0) -> bool:
    """Wait until `step()` holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if step():
            return True
        time.sleep(0.05)
    return False
