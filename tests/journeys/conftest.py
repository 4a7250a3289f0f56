"""Prepared cities on both databases, those of the fault tests."""

from tests.faults.conftest import place, place_of, postgres_cluster, postgres_template, sqlite_template

__all__ = ["place", "place_of", "postgres_cluster", "postgres_template", "sqlite_template"]
