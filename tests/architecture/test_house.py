"""The house stands: no import upward, one commit, scoped reads, sizes, no cycle. And the rules bite."""

from pathlib import Path

from backend.backups.membership import KINDS
from backend.ops.reactions import LATER, REACTIONS
from tests import order
from tests.architecture import rules

ROOT = Path(__file__).parents[2]
# A short list that only shrinks: each stands with the reason why it may be longer for now.
EXCEPTIONS: frozenset[str] = frozenset()


def write(folder: Path, name: str, text: str) -> None:
    path = folder / "backend" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'"""A file."""\n{text}', encoding="utf-8")


def test_no_package_imports_what_stands_below_it_not_even_inside_a_function() -> None:
    assert rules.upward_imports(ROOT) == []


def test_there_is_one_commit_in_the_source_tree() -> None:
    assert rules.commits(ROOT) == []


def test_p9_nothing_but_the_door_writes_the_record() -> None:
    """P9 of sync.md §4.3: no statement that writes stands outside the handlers and the books, but for bookkeeping that no
    device is told of; and nobody but `ops` calls a handler."""
    assert rules.writes(ROOT) == []
    assert rules.handlers_reached(ROOT) == []
    assert not rules.TOLD_TO_DEVICES & set().union(*rules.BESIDE.values())
    assert {kind.table.__name__ for kind in KINDS.values()} | {"FeedRow"} == rules.TOLD_TO_DEVICES


def test_every_read_begins_with_who_asks() -> None:
    assert rules.unscoped_reads(ROOT) == []


def test_no_file_function_or_view_is_longer_than_it_may_be() -> None:
    assert [fault for fault in rules.oversizes(ROOT) if fault.split(" has ")[0] not in EXCEPTIONS] == []


def test_every_file_opens_by_saying_what_it_is_for() -> None:
    assert rules.unopened(ROOT) == []


def test_what_follows_from_what_has_no_cycle() -> None:
    emitted = rules.events(ROOT)
    graph = {
        event: set().union(*(emitted.get(f"{f.__module__}.{f.__name__}", set()) for f in fs))
        for event, fs in REACTIONS.items()
    } | {event: set() for event in LATER if event not in REACTIONS}
    assert graph["finding.made"] == {"finding.located"}
    seen: set[str] = set()

    def walk(event: str, above: tuple[str, ...]) -> None:
        assert event not in above, f"cycle: {' → '.join((*above, event))}"
        seen.add(event)
        for after in graph.get(event, ()):
            walk(after, (*above, event))

    for event in graph:
        walk(event, ())
    assert {e for events in emitted.values() for e in events} <= set(graph), "an event that nobody hears of"


def test_an_upward_import_is_caught_also_inside_a_function(tmp_path: Path) -> None:
    write(tmp_path, "territory/handlers.py", "from backend.problems import models\n")
    write(tmp_path, "feed/log.py", "def f():\n    import backend.ops.apply\n")
    assert rules.upward_imports(tmp_path) == [
        "feed/log.py:3 imports ops",
        "territory/handlers.py:2 imports problems",
    ]


def test_a_second_commit_is_caught(tmp_path: Path) -> None:
    write(tmp_path, "database.py", "def t(s):\n    s.commit()\n")
    write(tmp_path, "problems/handlers.py", "def h(s):\n    s.commit()\n")
    assert rules.commits(tmp_path) == ["problems/handlers.py:3"]


def test_a_write_beside_the_door_is_caught(tmp_path: Path) -> None:
    write(tmp_path, "problems/views.py", "def v(s):\n    s.execute(update(Problem).values(state='closed'))\n")
    write(tmp_path, "console/views.py", "def v(session):\n    new = Site(id='x')\n    session.add(new)\n")
    write(tmp_path, "cli/city.py", "def c(session):\n    session.execute(text('UPDATE sites SET ver = 2'))\n")
    write(tmp_path, "sweeps/queries.py", "from backend import rows\ndef q(s):\n    rows.change(s, Task, {}, {})\n")
    write(tmp_path, "ops/jobs.py", "def j(s):\n    s.execute(insert(Job))\n    s.execute(insert(Site))\n")
    write(tmp_path, "territory/handlers.py", "def h(s):\n    s.execute(insert(Site))\n")
    assert rules.writes(tmp_path) == [
        "cli/city.py:3 writes UPDATE",
        "console/views.py:4 writes Site",
        "ops/jobs.py:4 writes Site",
        "problems/views.py:3 writes Problem",
        "sweeps/queries.py:4 writes Task",
    ]
    write(tmp_path, "cli/sweep.py", "from backend.sweeps import handlers\n")
    write(tmp_path, "sync/views.py", "def v():\n    from backend.problems.handlers import close\n")
    assert rules.handlers_reached(tmp_path) == ["cli/sweep.py:2 imports handlers", "sync/views.py:3 imports handlers"]


def test_an_unscoped_read_is_caught(tmp_path: Path) -> None:
    write(tmp_path, "problems/queries.py", "def q(s):\n    return s.scalars(select(Problem))\n")
    write(
        tmp_path, "sweeps/queries.py", "def q(s):\n    return s.scalars(sa.select(Sweep)), s.query(Sweep)\n"
    )
    assert rules.unscoped_reads(tmp_path) == [
        "problems/queries.py:3",
        "sweeps/queries.py:3",
        "sweeps/queries.py:3",
    ]


def test_a_long_function_and_a_long_view_are_caught(tmp_path: Path) -> None:
    write(tmp_path, "ops/apply.py", "def f():\n" + "    x = 1\n" * 41)
    write(tmp_path, "ops/views.py", '@ops_bp.get("/x")\ndef v():\n' + "    x = 1\n" * 16)
    assert len(rules.oversizes(tmp_path)) == 2


def test_the_longest_files_that_are_given_out_first_are_there_and_named_once() -> None:
    assert [name for name in order.LONGEST if not (order.TESTS / name).is_file()] == []
    assert len(set(order.LONGEST)) == len(order.LONGEST)
