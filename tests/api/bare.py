"""A small server without HTTP for the tests of custody: city, packs, one inspector, ops applied directly. Asserts nothing."""

import uuid
from pathlib import Path

from backend.access.scope import SYSTEM
from backend.cli import setup
from backend.cli.user import add_user
from backend.config import Config
from backend.ops.apply import submit
from tests.backups import grounds
from tests.backups.grounds import opened

TEAM = {"id": "t1", "name": "一组（示例）", "areas": ["370303", "370302"], "members": ["u-ins1"]}


def config_of(folder: Path, url: str = "") -> Config:
    """Settings of a throw-away server."""
    folder.mkdir(parents=True, exist_ok=True)
    return Config(data=folder, database_url=url or f"sqlite:///{folder / 'huyuan.db'}", secret_key="for-tests-only", worker="off")


def settle(config: Config) -> None:
    """Schema, city, packs, one inspector with a sweep over two districts."""
    setup.migrate(config)
    with opened(config):
        setup.demo()
        add_user("ins1", "排查员（示例）", "inspector", "", None, None)
        plan = {"title": "演练", "programmes": ["campus-perimeter"], "teams": [TEAM]}
        submit("sweep.open", plan, SYSTEM, ent=("sweep", "s1"))


class Phone(grounds.Phone):
    """A device of that inspector. Call inside the app's context."""

    def __init__(self, name: str = "r-1", login: str = "ins1") -> None:
        super().__init__(name, login)

    def report(self, item: str = "A213", photos: list[str] | None = None) -> str:
        """One loose report of a hazard, at a place in Zhangdian."""
        fix = {"lon": 118.05, "lat": 36.81, "accuracy_m": 5, "crs": "wgs84"}
        args = {"item": item, "programme": "campus-perimeter", "template_version": 1, "site_id": None, "team_id": "t1",
                "fix": fix, "photos": photos or []}  # fmt: skip
        return self.record("problem.report", ("finding", str(uuid.uuid4())), args)


__all__ = ["Phone", "config_of", "opened", "settle"]
