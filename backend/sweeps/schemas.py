"""Shapes of sweep ops."""

from marshmallow import fields, validate

from backend.shapes import Strict


class TeamIn(Strict):
    """A team of a sweep: its areas and its people."""

    id = fields.String(required=True, validate=validate.Length(1, 60))
    name = fields.String(required=True, validate=validate.Length(1, 120))
    areas = fields.List(fields.String(), required=True, validate=validate.Length(1))
    members = fields.List(fields.String(), load_default=list)


class OpenSweep(Strict):
    """args of `sweep.open`."""

    title = fields.String(required=True, validate=validate.Length(1, 160))
    programmes = fields.List(fields.String(), required=True, validate=validate.Length(1))
    teams = fields.List(fields.Nested(TeamIn), required=True, validate=validate.Length(1))


class ChangeTeam(Strict):
    """args of `team.change`: what is named changes."""

    name = fields.String(validate=validate.Length(1, 120))
    areas = fields.List(fields.String(), validate=validate.Length(1))
    members = fields.List(fields.String())


class MoveTasks(Strict):
    """args of `task.move`: the open tasks under an area (of one programme) go to a team."""

    area = fields.String(required=True, validate=validate.Length(1, 64))
    team_id = fields.String(required=True, validate=validate.Length(1, 60))
    programme = fields.String(load_default=None, allow_none=True)


class ExcuseTask(Strict):
    """args of `task.excuse`: a site that cannot be inspected, with the reason."""

    note = fields.String(required=True, validate=validate.Length(1, 400))
