"""The session of the app, which takes statements that are marked `plain` past the ORM. No tables, no transaction of its own.

Theory. A small SELECT of a few columns takes 42 to 74 µs of processor through the ORM and 18 to 31 past it; a push asks twenty
of them, a photo thirty. What is asked at every request and wants columns, not objects, is marked where it is made.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy.engine import Engine

S = TypeVar("S")
_PLAIN = "huyuan_plain"
BEFORE: list[Callable[[Any, Any], None]] = []
"""Called with session and statement before a plain one, as `do_orm_execute` is before others."""


def plain(statement: S) -> S:
    """The same statement, to be run without the ORM; its rows have columns only."""
    marked: S = statement.execution_options(**{_PLAIN: True})  # type: ignore[attr-defined]
    return marked


class PlainSession(FlaskSession):
    """Looks its engine up once a transaction, not at every statement."""

    bound: Engine | None = None

    def get_bind(self, *args: Any, **named: Any) -> Any:
        return self.bound or super().get_bind(*args, **named)

    def execute(self, statement: Any, params: Any = None, **named: Any) -> Any:
        """As SQLAlchemy's; what waits is written first on either way."""
        if _PLAIN not in statement.get_execution_options():
            return super().execute(statement, params, **named)
        self.flush()
        for look in BEFORE:
            look(self, statement)
        return self.connection().execute(statement, params)
