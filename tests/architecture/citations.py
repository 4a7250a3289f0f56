"""Which test speaks of which invariant, scenario or fault: read from names and docstrings, nothing is run. Judges nothing."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def functions(path: str) -> dict[str, str]:
    """Every function of a file, also those of classes → its name and docstring; "" → the docstring of the file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = {"": ast.get_docstring(tree) or ""}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            found[node.name] = f"{node.name} {ast.get_docstring(node) or ''}"
    return found


def says(text: str, name: str) -> bool:
    """Whether a text names I7, also as `_i7_` or inside I1–I24."""
    if re.search(rf"(?i)(?<![a-z0-9]){name}(?![0-9a-z])", text):
        return True
    letter, number = name[0], int(name[1:])
    ranges = re.findall(rf"(?<![A-Za-z0-9]){letter}(\d+)–{letter}?(\d+)(?!\d)", text)
    return any(int(low) <= number <= int(high) for low, high in ranges)


def fault_of(name: str, test: str) -> str | None:
    """What is wrong with `test` ("file" or "file::function") as the test of `name`; None where it is there and says so."""
    path, _, function = test.partition("::")
    if not (ROOT / path).is_file():
        return f"{name}: there is no {path}"
    found = functions(path)
    if function not in found:
        return f"{name}: there is no {test}"
    has_tests = any(other.startswith("test_") for other in found) or path.endswith("/laws.py")
    text = " ".join(found.values()) if not function else f"{found['']} {found[function]}"
    return None if has_tests and says(text, name) else f"{name}: {test} does not name it"
