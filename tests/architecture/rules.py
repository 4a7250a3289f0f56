"""The house rules as functions over a tree of source files; each returns faults. Asserts nothing itself."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# A package imports only what stands above it (CONTRIBUTING.md); features of one line stand side by side.
STAIRCASE = (
    ("sync_protocol",),
    (
        "errors", "config", "effects", "workdays", "geometry", "imaging", "faults", "queueing", "lines", "gate", "trouble", "database",
        "bulk", "plain", "rows", "packs", "shapes", "incoming", "now", "spooled",
    ),
    ("access",),
    ("journal", "feed"),
    ("territory",), ("accounts",), ("programmes",), ("sweeps",),
    ("photos",), ("inspections",), ("geotags",), ("problems",), ("responsibility",), ("supervision",), ("evidence",),
    ("ledgers",), ("handovers",), ("rings",), ("mine",), ("periods",), ("sampling",), ("evaluation",), ("documents",),
    ("notices",),
    ("ops",),
    ("exports",),
    ("sync", "console", "health"),
    ("backups",),
    ("app", "cli", "field_worker", "serving", "wsgi", "__main__"),
)  # fmt: skip
STEP = {name: n for n, names in enumerate(STAIRCASE) for name in names}
READ = re.compile(r"(\w+\.)*select|(s|session)\.query")  # what a call of SQLAlchemy that reads looks like
MAX_FILE, MAX_FUNCTION, MAX_VIEW = 300, 40, 15
# Reads of plain bookkeeping that belongs to nobody: heads, clocks, logs of the protocol itself.
UNSCOPED = {
    "feed/log.py",
    "feed/pages.py",
    "journal/book.py",
    "sync/uploads.py",
    "ops/custody.py",
    "sync/receiving.py",
    "sync/giving_up.py",
    "ops/jobs.py",
    "database.py",
    "cli/field_day.py",
    "notices/fanout.py",  # what is to be told waits for nobody in particular; who is told is decided there
    # the whole record at once, for nobody in particular: copied, summed and proven
    "backups/tables.py",
    "backups/snapshots.py",
    "backups/books.py",
    "backups/record.py",
    "backups/membership.py",
}

# Who writes to the database. The record is written by what an op does, and by nothing else (P9 of sync.md §4.3): the
# handlers that `ops` calls, what they call, and the books.
DOOR = {
    "problems/record.py", "problems/edits.py", "problems/numbers.py", "accounts/grants.py",
    "supervision/record.py", "feed/log.py", "journal/book.py", "ops/custody.py", "ledgers/lines.py", "responsibility/posts.py",
    "rings/steps.py",
}  # fmt: skip
# Beside it: files → the tables that they may write, none of which devices are told of or a ledger counts.
BESIDE: dict[str, set[str]] = {
    "accounts/tokens.py": {"EnrolCode", "WebSession", "Device"},  # who may come in
    "ops/jobs.py": {"Job"},
    "photos/pipeline.py": {"Photo"},  # when its derivatives were made
    "sync/receiving.py": {"Upload", "_UPLOADS"},  # how far the bytes are
    "sync/giving_up.py": {"Upload"},
    "sync/rescue.py": {"Rescue"},
    "sync/push.py": {"Replica", "ReplicaStep"},  # where a replica stands: with the ops, in one transaction
    "sync/contacts.py": {"_TABLE"},  # who was heard of, and with what trouble
    "sync/digests.py": {"Divergence"},
    "sync/views.py": {"UnreadablePush"},
    "notices/fanout.py": {"Notice", "NoticeFact"},  # follows from the record, is none of it
    "notices/facts.py": {"NoticeFact"},
    "notices/outbox.py": {"Outgoing"},  # what becomes of a mail or a call
    "notices/webhooks.py": {"Webhook"},  # a secret is taken, a receiver fails
    "notices/inbox.py": {"Notice"},  # what its owner has read
    "database.py": {"CommitClock", "_CLOCKS"},
    "backups/tables.py": {"table", "TRUNCATE", "DELETE FROM"},  # a whole record at once, into a new epoch
    "bulk.py": {"INSERT INTO", "UPDATE"},  # the tools, for whoever may
    "rows.py": {"table"},
}
HANDLERS_FOR_OTHERS = {
    "backups/membership.py",  # in which buckets an area is: a pure function
    "supervision/transfers.py",  # handlers too
    "problems/steps.py",  # the handlers of a problem's steps, in a file of their own
}
TOLD_TO_DEVICES = {"Area", "Department", "Site", "Programme", "Sweep", "Team", "Task", "Inspection", "Problem", "FeedRow"}
_WRITERS = {"insert": 0, "update": 0, "delete": 0, "insert_many": 1, "update_many": 1}
_RAW_SQL = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM|TRUNCATE) ")


def sources(root: Path) -> Iterator[tuple[str, ast.Module, str]]:
    """(path below backend/, tree, text) of every source file."""
    for path in sorted((root / "backend").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        yield path.relative_to(root / "backend").as_posix(), ast.parse(text), text


def room(path: str) -> str:
    """Package or ground-floor module of a file."""
    return path.split("/")[0].removesuffix(".py")


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, room) of every import of the project, those inside functions too."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names]
                if node.module == "backend"
                else [node.module]
            )
        for name in names:
            parts = name.split(".")
            if parts[0] == "sync_protocol":
                yield node.lineno, "sync_protocol"
            elif parts[0] == "backend" and len(parts) > 1 and parts[1] in STEP:
                yield node.lineno, parts[1]


def upward_imports(root: Path) -> list[str]:
    """Imports of something that does not stand above, hidden ones included."""
    faults = []
    for path, tree, _ in sources(root):
        here = room(path)
        if here == "__init__":
            continue
        for line, there in imported(tree):
            if there != here and STEP[there] > STEP[here]:
                faults.append(f"{path}:{line} imports {there}")
            if (
                there != here
                and STEP[there] == STEP[here]
                and STEP[here] > 2
                and here not in ("cli", "wsgi", "app", "__main__", "sync", "console")
            ):
                faults.append(f"{path}:{line} imports its neighbour {there}")
    return faults


def commits(root: Path) -> list[str]:
    """Calls of .commit() outside the one place."""
    found = []
    for path, tree, _ in sources(root):
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "commit"
            ):
                found.append(f"{path}:{node.lineno}")
    return [place for place in found if not place.startswith("database.py:")] + [
        p for p in found if p.startswith("database.py:")
    ][1:]


def unscoped_reads(root: Path) -> list[str]:
    """`select(` of SQLAlchemy outside the few files that may: every other read begins with visible()."""
    faults = []
    for path, tree, _ in sources(root):
        if path in UNSCOPED or path.startswith("access/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and READ.fullmatch(ast.unparse(node.func)):
                faults.append(f"{path}:{node.lineno}")
    return faults


def writes(root: Path) -> list[str]:
    """What writes a table without being the door, or one of those beside it at its own tables."""
    faults = []
    for path, tree, _ in sources(root):
        if path.endswith("/handlers.py") or path in DOOR:
            continue
        made = {
            a.targets[0].id: a.value.func.id for a in ast.walk(tree)
            if isinstance(a, ast.Assign) and isinstance(a.targets[0], ast.Name)
            and isinstance(a.value, ast.Call) and isinstance(a.value.func, ast.Name) and a.value.func.id[0].isupper()
        }  # fmt: skip
        for line, written in sorted(_written(tree)):
            if made.get(written, written) not in BESIDE.get(path, set()):
                faults.append(f"{path}:{line} writes {made.get(written, written)}")
    return faults


def _written(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, table as it is named there) of every statement that writes, and of objects given to a session."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (raw := _RAW_SQL.match(node.value)):
            yield node.lineno, raw[1]
        if not isinstance(node, ast.Call):
            continue
        owner, _, name = ast.unparse(node.func).rpartition(".")
        at = _WRITERS.get(name) if owner in ("", "sa", "dialect", "sqlite", "postgresql") else None
        at = 1 if owner == "rows" and name in ("add", "change") else at
        at = 0 if owner == "session" and name in ("add", "add_all", "merge", "delete") else at
        if at is not None and len(node.args) > at:
            given = node.args[at]
            yield node.lineno, ast.unparse(given.func if isinstance(given, ast.Call) else given)


def handlers_reached(root: Path) -> list[str]:
    """Imports of a room's handlers by who is not the door: `ops`, other handlers, and what they call."""
    faults = []
    for path, tree, _ in sources(root):
        if room(path) == "ops" or path.endswith("/handlers.py") or path in DOOR or path in HANDLERS_FOR_OTHERS:
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("backend"):
                continue
            if str(node.module).endswith(".handlers") or "handlers" in {alias.name for alias in node.names}:
                faults.append(f"{path}:{node.lineno} imports handlers")
    return faults


def oversizes(root: Path) -> list[str]:
    """Files, functions and views that are longer than they may be."""
    faults = []
    for path, tree, text in sources(root):
        if len(text.splitlines()) > MAX_FILE:
            faults.append(f"{path} has {len(text.splitlines())} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                is_view = any(
                    "route" in d or ".get(" in d or ".post(" in d or ".patch(" in d
                    for d in map(ast.unparse, node.decorator_list)
                    if "_bp." in d
                )
                if length > (MAX_VIEW if is_view else MAX_FUNCTION):
                    faults.append(f"{path}:{node.lineno} {node.name} has {length} lines")
    return faults


def unopened(root: Path) -> list[str]:
    """Files that do not open by saying what they are for."""
    return [path for path, tree, _ in sources(root) if not ast.get_docstring(tree)]


def events(root: Path) -> dict[str, set[str]]:
    """Handler function → events that it (or a helper of its file) emits, by the literals in Event("…")."""
    emitted: dict[str, set[str]] = {}
    for path, tree, _ in sources(root):
        module = f"backend.{path.removesuffix('.py').replace('/', '.')}"
        own = {f.name: f for f in tree.body if isinstance(f, ast.FunctionDef)}
        direct = {name: _literals(f) for name, f in own.items()}
        calls = {
            name: {c.func.id for c in ast.walk(f) if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)}
            & set(own)
            for name, f in own.items()
        }
        for name in own:
            seen, todo = set(), [name]
            while todo:
                at = todo.pop()
                if at not in seen:
                    seen.add(at)
                    todo += calls[at]
            emitted[f"{module}.{name}"] = set().union(*(direct[s] for s in seen))
    return emitted


def _literals(function: ast.FunctionDef) -> set[str]:
    return {
        c.args[0].value for c in ast.walk(function)
        if isinstance(c, ast.Call) and isinstance(c.func, ast.Name) and c.func.id == "Event"
        and isinstance(c.args[0], ast.Constant)
    }  # fmt: skip
