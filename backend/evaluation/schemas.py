"""Shapes: args of weights and evaluations."""

from marshmallow import RAISE, Schema, fields, validate

from backend.evaluation.rules import INDICATORS, SUBJECTS


class Weigh(Schema):
    """args of `evaluation.weigh`: indicator → weight; what is not named weighs nothing."""

    class Meta:
        unknown = RAISE

    weights = fields.Dict(
        keys=fields.String(validate=validate.OneOf(list(INDICATORS))),
        values=fields.Integer(strict=True, validate=validate.Range(1, 100)),
        required=True,
        validate=validate.Length(1, 20),
    )


class Evaluate(Schema):
    """args of `evaluation.publish`."""

    class Meta:
        unknown = RAISE

    kind = fields.String(required=True, validate=validate.OneOf(list(SUBJECTS)))
    period = fields.String(required=True, validate=validate.Length(7, 21))
