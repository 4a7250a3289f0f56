"""Shapes of ring ops and of what the API tells of them."""

from marshmallow import RAISE, Schema, fields, validate


class CloseSweep(Schema):
    """args of `sweep.close`: the coverage in words (what was seen, what was not and why); its figures the server adds."""

    class Meta:
        unknown = RAISE

    coverage = fields.String(required=True, validate=[validate.Length(1, 4000), validate.Regexp(r"(?s).*\S")])
