"""Prepared cities for the tests of the protocol's doors; every test gets its own copy (the fault rig makes them)."""

from tests.faults.conftest import place, place_of, postgres_cluster, postgres_template, sqlite_template

__all__ = ["place", "place_of", "postgres_cluster", "postgres_template", "sqlite_template"]
