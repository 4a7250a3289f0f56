"""Shapes: args of weights and evaluations."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from backend.evaluation.rules import SUBJECTS
from backend.shapes import Strict


def _weight() -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(1, 100))


class Weights(Strict):
    """Indicator → weight (rules.INDICATORS); what is not named weighs nothing."""

    coverage = _weight()
    on_time = _weight()
    reinspection = _weight()
    lasting = _weight()
    reply = _weight()
    evidence = _weight()

    @validates_schema(skip_on_field_errors=True)
    def _weighs_something(self, data: Mapping[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("nothing weighs anything")


class Weigh(Strict):
    """args of `evaluation.weigh`."""

    weights = fields.Nested(Weights, required=True)


class Evaluate(Strict):
    """args of `evaluation.publish`."""

    kind = fields.String(required=True, validate=validate.OneOf(list(SUBJECTS)))
    period = fields.String(required=True, validate=validate.Length(7, 21))
