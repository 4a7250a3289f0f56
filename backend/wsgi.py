"""What the WSGI server loads: the app with its worker. No decisions."""

from backend.app import create_app, start_worker

app = create_app()
worker = start_worker(app)
