"""Every (state that an author saw, what happened meanwhile, what they then ask for), worked out by the rules, and as a table
that people can read. Pure: the real handlers are held to the same triples in test_conflicts_for_real.py. Asserts nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from backend.problems import rules
from backend.problems.rules import Judgement, Present

# What may happen meanwhile: one or two things that others do, each permitted where it is done.
MEANWHILE: dict[str, tuple[str, ...]] = {
    "nothing": (), "note": ("note",), "edit": ("edit",), "report": ("report",), "danger": ("danger",),
    "confirm": ("confirm",), "confirm_fix": ("confirm_fix",), "assign": ("assign",), "accept": ("accept",), "return": ("return",),
    "report_fixed": ("report_fixed",), "refuse_fix": ("refuse_fix",), "close": ("close",), "refute": ("refute",),
    "close+reopen": ("close", "reopen"), "assign+fixed": ("assign", "report_fixed"), "stop_work": ("stop_work",),
    "lift_stop": ("lift_stop",), "stop+lift": ("stop_work", "lift_stop"), "merge": ("merge",), "delete": ("delete",),
}  # fmt: skip
# The acts that are records of their own have their cells in tests/supervision: what they need is more than a state.
ASKED = tuple(action for action in rules.ACTIONS if action != "danger" and action not in rules.ACTS)
UNCHANGING = rules.FACTS | rules.EDITS | {"report"}
SHORT = {"applied": "A", "noop": "N", "proposed": "P", "superseded": "S", "redirected": "→"}
REASONS = {"conflict": "C", "guard_failed": "G", "target_deleted": "D", "forbidden": "F"}


@dataclass(frozen=True)
class Triple:
    """`then` is the present when the op arrives."""

    saw: Present
    meanwhile: str
    action: str
    then: Present

    def judged(self, role: str = "system") -> Judgement:
        return rules.judge(self.action, role, self.then)


def after(state: Present, happened: str) -> Present | None:
    """The problem once `happened` was done by somebody who saw all; None where that cannot be."""
    said = state.said | {happened}
    if happened == "report" and not rules.is_open(state.state):
        return None  # a report of what is closed raises another problem
    if happened in UNCHANGING | {"danger"} and happened not in rules.STEPS[state.state]:
        return replace(state, said=said) if state.state not in rules.AWAY else None  # else it is another's, or nobody's
    done = rules.judge(happened, "system", replace(state, said=frozenset()))
    if done.verdict.status != "applied" or done.step is None:
        return None
    stopped = state.is_work_stopped if done.step.stops_work is None else done.step.stops_work
    return replace(state, state=done.step.to or state.state, is_work_stopped=stopped, said=said)


def seen() -> Iterator[Present]:
    """Every state, and those that need somebody also while work is stopped."""
    for state in rules.STEPS:
        yield Present(state)
        if rules.is_open(state):
            yield Present(state, is_work_stopped=True)


def named(saw: Present) -> str:
    """The name of a row."""
    return f"{saw.state}, stopped" if saw.is_work_stopped else saw.state


def triples() -> Iterator[Triple]:
    """All of them."""
    for saw in seen():
        for name, happened in MEANWHILE.items():
            now: Present | None = saw
            for one in happened:
                now = after(now, one) if now else None
            if now is not None:
                yield from (Triple(saw, name, action, now) for action in ASKED)


def could_be_asked(triple: Triple) -> bool:
    """Whether the state that its author saw offered this action, or it is a claim, which anybody may make."""
    return triple.action in rules.STEPS[triple.saw.state] or triple.action in rules.CLAIMS


def told(triple: Triple) -> str:
    """Outcome and state afterwards, in a few letters: `A fixing`, `A*` where it was rebased, `C` for parked conflict."""
    found = triple.judged()
    short = SHORT.get(found.verdict.status) or REASONS[str(found.verdict.reason)]
    mark = "*" if "rebased" in found.verdict.flags else ""
    to = f" {found.step.to or triple.then.state}" if found.step else ""
    return f"{short}{mark}{to}"


def table() -> str:
    """One block an action: rows are the states that its author saw, columns what happened meanwhile."""
    found = {(t.action, named(t.saw), t.meanwhile): told(t) for t in triples() if could_be_asked(t)}
    lines = [LEGEND]
    for action in ASKED:
        rows = [saw for saw in map(named, seen()) if (action, saw, "nothing") in found]
        names = [name for name in MEANWHILE if any((action, saw, name) in found for saw in rows)]
        cells = [["saw \\ then", *names], *([saw, *(found.get((action, saw, n), "·") for n in names)] for saw in rows)]
        widths = [max(len(row[n]) for row in cells) for n in range(len(names) + 1)]
        lines.append(f"\n{action}\n" + "\n".join(_line(row, widths) for row in cells))
    return "\n".join(lines) + "\n"


def _line(row: list[str], widths: list[int]) -> str:
    return "  " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


LEGEND = """What an intent comes to: its author saw the state of the row, and then what stands above the column happened.
A applied (* rebased) and the state afterwards; P proposed; N noop; S superseded; → redirected;
parked: C conflict, G guard_failed, D target_deleted; · cannot happen. Who may is not in here: see docs/problem-life.md."""

if __name__ == "__main__":
    print(table(), end="")
