"""What differs between rows read from files and rows of the record. Pure: no database, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]


@dataclass(slots=True)
class Difference:
    """`new`: rows the record lacks; `changed`: (as read, as recorded); `absent`: ids only the record has."""

    new: list[Row] = field(default_factory=list)
    changed: list[tuple[Row, Row]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """How many rows would be written; what is absent is kept and only told of."""
        return len(self.new) + len(self.changed)


def compare(rows: Sequence[Row], recorded: Mapping[str, Row]) -> Difference:
    """Compare rows by `id`, column by column (those that were read; the record may have more).

    Raises ValueError where an id is given twice or a row has other columns than its fellows or the record.
    """
    made, seen = Difference(), set[str]()
    for row in rows:
        there = recorded.get(row["id"])
        if row["id"] in seen or row.keys() != rows[0].keys():
            raise ValueError(f"{row['id']!r} is given twice, or has other columns than the rows before it")
        seen.add(row["id"])
        if there is None:
            made.new.append(row)
        elif row.keys() - there.keys():
            raise ValueError(f"unknown columns: {', '.join(sorted(row.keys() - there.keys()))}")
        elif any(there[name] != value for name, value in row.items()):
            made.changed.append((row, there))
    made.absent = sorted(recorded.keys() - seen)
    return made
