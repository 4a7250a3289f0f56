"""The schema's steps: where a database stands, whether this program knows that step, up to the newest. No
rows."""

from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def alembic_config(url: str) -> AlembicConfig:
    """Alembic's settings for the database at `url`."""
    made = AlembicConfig()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["url"] = url
    return made


def upgrade(url: str, to: str = "head") -> None:
    """Bring a database (an empty one too) to a step; a killed migration leaves the old one."""
    command.upgrade(alembic_config(url), to)


def head() -> str:
    """The newest step this program knows."""
    found = ScriptDirectory.from_config(alembic_config("")).get_current_head()
    assert found is not None, "no migrations are shipped"
    return found


def is_known(revision: str) -> bool:
    """Whether this program knows a step; one that it does not know is of a newer program."""
    scripts = ScriptDirectory.from_config(alembic_config("")).walk_revisions()
    return revision in {script.revision for script in scripts}


def revision_of(connection: Connection) -> str | None:
    """The step a database stands at; None where it has no tables of ours."""
    return MigrationContext.configure(connection).get_current_revision()
