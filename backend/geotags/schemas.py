"""Shapes of geotag ops and answers."""

from marshmallow import fields, validate

from backend.shapes import Real, Strict


class Place(Strict):
    """args of `problem.place`: a person says where a problem lies."""

    problem_id = fields.String(load_default=None, allow_none=True)
    finding_id = fields.String(required=True, validate=validate.Length(max=200))
    lon = Real(required=True, validate=validate.Range(-180, 180))
    lat = Real(required=True, validate=validate.Range(-90, 90))
    crs = fields.String(load_default="wgs84", validate=validate.OneOf(["wgs84", "gcj02", "bd09"]))
