"""A bare server over one database: no doors, no worker. For proofs and restores, whose database is not that
of the app."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from backend import database
from backend.config import Config
from backend.photos.store import PhotoStore


@contextmanager
def over(config: Config) -> Iterator[Flask]:
    """The context of a bare server with these settings; its connections are closed afterwards."""
    app = Flask("backend", static_folder=None)
    app.extensions["config"] = config
    app.extensions["photo_store"] = PhotoStore(config.photos)
    database.init_app(app, config)
    try:
        with app.app_context():
            yield app
    finally:
        database.close_app(app)


def scratch(folder: Path, database_file: Path) -> Config:
    """Settings of a server in a scratch folder over one SQLite file."""
    return Config(data=folder, database_url=f"sqlite:///{database_file}", secret_key="a scratch server signs nothing")
