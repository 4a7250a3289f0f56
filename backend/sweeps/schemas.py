"""Shapes of sweep ops."""

from marshmallow import RAISE, Schema, fields, validate


class TeamIn(Schema):
    class Meta:
        unknown = RAISE

    id = fields.String(required=True, validate=validate.Length(1, 60))
    name = fields.String(required=True, validate=validate.Length(1, 120))
    areas = fields.List(fields.String(), required=True, validate=validate.Length(1))
    members = fields.List(fields.String(), load_default=list)


class OpenSweep(Schema):
    """args of `sweep.open`."""

    class Meta:
        unknown = RAISE

    title = fields.String(required=True, validate=validate.Length(1, 160))
    programmes = fields.List(fields.String(), required=True, validate=validate.Length(1))
    teams = fields.List(fields.Nested(TeamIn), required=True, validate=validate.Length(1))


class ChangeTeam(Schema):
    """args of `team.change`: what is named changes."""

    class Meta:
        unknown = RAISE

    name = fields.String(validate=validate.Length(1, 120))
    areas = fields.List(fields.String(), validate=validate.Length(1))
    members = fields.List(fields.String())


class MoveTasks(Schema):
    """args of `task.move`: the open tasks under an area (of one programme) go to a team."""

    class Meta:
        unknown = RAISE

    area = fields.String(required=True, validate=validate.Length(1, 64))
    team_id = fields.String(required=True, validate=validate.Length(1, 60))
    programme = fields.String(load_default=None, allow_none=True)


class ExcuseTask(Schema):
    """args of `task.excuse`: a site that cannot be inspected, with the reason."""

    class Meta:
        unknown = RAISE

    note = fields.String(required=True, validate=validate.Length(1, 400))
