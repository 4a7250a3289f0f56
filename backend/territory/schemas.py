"""Shapes of territory ops. What is inside the rows was checked by city_files, with file and line."""

from marshmallow import fields

from backend.shapes import Strict


class Load(Strict):
    """args of `city.load`: a whole city as rows."""

    id = fields.String(required=True)
    name_zh = fields.String(required=True)
    name_en = fields.String(required=True)
    code_system = fields.String(required=True)
    sample = fields.Boolean(
        load_default=True
    )  # names of sites are marked （示例）; a city's own files say that they are none
    areas = fields.List(fields.Dict(), required=True)
    zones = fields.List(fields.Dict(), required=True)
    sites = fields.List(fields.Dict(), required=True)
    departments = fields.List(fields.Dict(), required=True)
    posts = fields.List(fields.Dict(), required=True)
    holdings = fields.List(fields.Dict(), required=True)
