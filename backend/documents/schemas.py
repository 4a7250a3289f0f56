"""Shapes: args of `document.issue`, and documents as the API tells of them."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from backend.documents.kinds import KINDS, MAX_TEXT, Field
from backend.shapes import Strict

_FIELDS = fields.Dict(
    keys=fields.String(), values=fields.String(validate=validate.Length(max=MAX_TEXT)), load_default=dict
)


class Issue(Strict):
    """args of `document.issue`: the kind, what its issuer fills in, the number of the document that it answers."""

    class Meta(Strict.Meta):
        include = {"fields": _FIELDS}

    kind = fields.String(required=True, validate=validate.OneOf(list(KINDS)))
    answers = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 32))

    @validates_schema(skip_on_field_errors=True)
    def _fits_its_kind(self, data: Mapping[str, Any], **_: Any) -> None:
        kind, given = KINDS[data["kind"]], data["fields"]
        faults: dict[str, Any] = {name: "this document has no such field" for name in given if name not in kind.fields}
        faults |= {name: why for name, of in kind.fields.items() if (why := _fault(of, given.get(name, "").strip()))}
        if faults:
            raise ValidationError({"fields": faults})
        if bool(data["answers"]) != bool(kind.answers):
            told = (
                f"the number of the {kind.answers} that it answers"
                if kind.answers
                else "this document answers no other"
            )
            raise ValidationError({"answers": told})


def _fault(of: Field, value: str) -> str | None:
    if not value:
        return None  # whether it must be there is known when the act has been read (handlers.py)
    if of.kind == "one" and value not in of.choices:
        return f"one of {'、'.join(of.choices)}"
    return "a day, YYYY-MM-DD" if of.kind == "date" and not _is_day(value) else None


def _is_day(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


class DocumentOut(Schema):
    """A document on record."""

    number = fields.String()
    kind = fields.String()
    title = fields.Function(lambda d: KINDS[d.kind].title)
    issued_at = fields.AwareDateTime()
    issued_on = fields.Date()
    ent_type = fields.String()
    ent_id = fields.String()
    answers = fields.String(allow_none=True)
    office = fields.String()
    by = fields.String(attribute="issuer_id")
    digest = fields.String()
