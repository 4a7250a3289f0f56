"""Shapes that the schemas of several rooms share. marshmallow only; no room is named here."""

import re
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

_SHA256 = re.compile(r"^[0-9a-f]{64}\Z")  # \Z: `$` would also take a line feed after it
SHA256 = validate.Regexp(_SHA256)


def is_sha256(text: str) -> bool:
    """Whether a text is a SHA-256 as the project writes them: 64 hexadecimal digits, small letters."""
    return _SHA256.match(text) is not None


class Strict(Schema):
    """Nothing but what is named."""

    class Meta:
        unknown = RAISE


class Nothing(Strict):
    """An op or a request without args: its entity says all."""


class Real(fields.Float):
    """A finite JSON number; not a text that looks like one (JSON Schema: type number)."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)
