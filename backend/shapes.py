"""Shapes that the schemas of several rooms share. marshmallow only; no room is named here."""

from typing import Any

from marshmallow import fields, validate

SHA256 = validate.Regexp(r"^[0-9a-f]{64}\Z")  # \Z: `$` would also take a line feed after it


class Real(fields.Float):
    """A finite JSON number; not a text that looks like one (JSON Schema: type number)."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)
