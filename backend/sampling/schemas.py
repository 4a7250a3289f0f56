"""Shapes: args of a draw and of what was seen."""

from marshmallow import fields, validate

from backend.sampling.rules import RESULTS
from backend.shapes import Strict


class Draw(Strict):
    """args of `sample.draw`: place, days in which problems were closed, seed, percent of each stratum, who may look (none: all)."""

    node = fields.String(required=True, validate=validate.Length(1, 64))
    period = fields.String(required=True, validate=validate.Length(7, 21))
    seed = fields.String(required=True, validate=[validate.Length(6, 128), validate.Regexp(r"^[^|\s]+\Z")])
    percent = fields.Integer(required=True, strict=True, validate=validate.Range(1, 100))
    inspectors = fields.List(
        fields.String(validate=validate.Length(1, 64)),
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 500),
    )


class Result(Strict):
    """args of `sample.result`: which problem, what was seen, in words."""

    problem_id = fields.String(required=True, validate=validate.Length(1, 200))
    result = fields.String(required=True, validate=validate.OneOf(list(RESULTS)))
    note = fields.String(load_default="", validate=validate.Length(max=2000))
