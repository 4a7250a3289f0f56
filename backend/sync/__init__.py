"""The device's way in and out: push, pull, uploads. No domain decisions."""
