"""Pure decisions about a submitted checklist. No SQLAlchemy, no Flask, no clock."""

from collections.abc import Mapping, Sequence
from typing import Any


def unknown_codes(codes: frozenset[str], *maps: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Item codes that the template does not have, in order of appearance, each once."""
    return list(dict.fromkeys(code for found in maps for code in found if code not in codes))


def failed_items(answers: Mapping[str, str]) -> list[str]:
    """Codes answered `fail`, in the order of the checklist as sent."""
    return [code for code, answer in answers.items() if answer == "fail"]
