"""What the WSGI server loads: the app, its watch and its worker. No decisions."""

from backend.app import create_app, start_worker
from backend.backups.watch import start as start_watch
from backend.now import now_utc

app = create_app()
watch = start_watch(app, now_utc)
worker = start_worker(app)
