"""The documents say what is so: settings, commands and files they name exist. No judgement of style."""

import re
from pathlib import Path

import click
import pytest

from backend.cli.main import main
from backend.config import SETTINGS

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "PROTOCOL.md", "NOTICE", "backend/OPERATING.md", "backend/DECISIONS.md"]


def words(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def missing_command(line: str) -> str | None:
    """The part of a `python -m backend …` line that the command line does not know, or None."""
    command: click.Command = main
    for part in line.split():
        if part.startswith("--"):
            known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
            if part not in known:
                return part
        elif isinstance(command, click.Group):
            if part not in command.commands:
                return part
            command = command.commands[part]
    return None


def test_the_settings_table_of_the_operators_guide_is_the_settings_of_the_server() -> None:
    rows = re.findall(r"^\| `(HUYUAN_\w+)` \| (?:`([^`]*)`|—) \| (.*) \|$", words("backend/OPERATING.md"), re.M)
    assert {key: (default, meaning) for key, default, meaning in rows} == SETTINGS


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_a_document_names_exists(document: str) -> None:
    # the settings' own words are the server's: the guide repeats them, and says below the table where they run ahead
    text = re.sub(r"^\| `HUYUAN_.*$", "", words(document), flags=re.M)
    lines = re.findall(r"`python -m backend ([^`]+)`", text)
    assert [(line, missing_command(line)) for line in lines if missing_command(line)] == []


def test_every_command_that_exists_is_in_the_operators_guide() -> None:
    guide = words("backend/OPERATING.md")
    for name, command in main.commands.items():
        below = [f"{name} {n}" for n in command.commands] if isinstance(command, click.Group) else [name]
        assert [line for line in below if f"`python -m backend {line}" not in guide] == []


def test_an_unknown_command_or_option_is_caught() -> None:
    assert missing_command("ledger shew") == "shew"
    assert missing_command("ledger show --bye area") == "--bye"
    assert missing_command("ledger show --by area") is None


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_names_exists(document: str) -> None:
    text = words(document)
    named = re.findall(r"\]\(([\w./-]+)\)", text) + re.findall(r"`((?:backend|tests|docs|sync_protocol|migrations)/[\w./-]*)`", text)
    here = (ROOT / document).parent
    assert [n for n in named if not (ROOT / n).exists() and not (here / n).exists()] == []


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", words("Makefile"), re.M))
    assert {t for d in DOCUMENTS for t in re.findall(r"`?make ([\w-]+)(?:`|$)", words(d), re.M)} <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_document_names_a_path_of_one_machine(document: str) -> None:
    assert re.findall(r"(?<![\w.])/(?:work|home|root|tmp|Users)/\S*", words(document)) == []


@pytest.mark.parametrize("picture", ["start-page.png", "notice.png"])
def test_the_pictures_of_the_documents_are_small(picture: str) -> None:
    assert f"docs/{picture}" in words("README.md") and 0 < (ROOT / "docs" / picture).stat().st_size <= 300_000
