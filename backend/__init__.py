"""Huyuan (护园): the server. Rooms and their order are in `architecture` of CONTRIBUTING.md; no code lives here."""

__version__ = "0.1.0"
