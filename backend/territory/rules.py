"""What differs between rows read from files and rows of the record. Pure: no database, no clock."""

from collections.abc import Collection, Mapping, Sequence
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


def compare(rows: Sequence[Row], recorded: Mapping[str, Row], columns: Collection[str]) -> Difference:
    """Compare rows by `id`, column by column. `columns`: the table's; a row has them all, but for `ver`.

    Raises ValueError where a row has other columns, or an id is given twice.
    """
    made, seen, wanted = Difference(), set[str](), {*columns} - {"ver"}
    for row in rows:
        if row.keys() != wanted:
            raise ValueError(f"unknown or missing columns: {', '.join(sorted(row.keys() ^ wanted))}")
        if row["id"] in seen:
            raise ValueError(f"{row['id']!r} is given twice")
        seen.add(row["id"])
        there = recorded.get(row["id"])
        if there is None:
            made.new.append(row)
        elif any(there[name] != value for name, value in row.items()):
            made.changed.append((row, there))
    made.absent = sorted(recorded.keys() - seen)
    return made
