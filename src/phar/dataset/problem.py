"""What is wrong with data, row by row: where, what, how to mend it, and what was done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from phar.export.csv import inert
from phar.export.target import replacing

#: What was done with a row that has a problem.
LEFT_OUT = "left out"
CHANGED = "changed"
KEPT = "kept"


@dataclass(frozen=True)
class Problem:
    """One thing that somebody should look at."""

    file: str
    """The annotation file or the video."""
    where: str
    """Row, element or span in it; empty for the whole file."""
    kind: str
    """A word by which problems are counted, such as `unknown-label`."""
    what: str
    """What was found."""
    mend: str
    """How to mend it."""
    outcome: str
    """`left out`, `changed` or `kept`."""

    def __str__(self) -> str:
        place = f"{self.file}: {self.where}" if self.where else self.file
        return f"{place}: {self.what}; {self.mend} ({self.outcome})"


def write_problems(problems: Sequence[Problem], path: Path) -> None:
    """Write all problems as CSV, also where there are none."""
    import polars

    names = [field.name for field in fields(Problem)]
    frame = polars.DataFrame(
        [[inert(text) for text in astuple(problem)] for problem in problems],
        schema=dict.fromkeys(names, polars.String),
        orient="row",
    )
    with replacing(path) as partial:
        frame.write_csv(partial)


def counted(problems: Iterable[Problem]) -> list[str]:
    """Return a line per kind and outcome, most frequent first."""
    counts = Counter((problem.kind, problem.outcome) for problem in problems)
    return [f"{number} {kind} ({outcome})" for (kind, outcome), number in counts.most_common()]
