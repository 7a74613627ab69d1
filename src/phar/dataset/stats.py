"""What a data set holds: minutes and clips by class, category and split, as Markdown and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phar.dataset.folder import table
from phar.dataset.manifest import read_frame
from phar.dataset.splits import SPLITS
from phar.export.target import replacing
from phar.schema import OutputError

#: Colours that stay apart for colour-blind people. Source: Okabe and Ito, https://jfly.uni-koeln.de/color/.
_COLOURS = {"train": "#0072B2", "val": "#E69F00", "test": "#009E73"}
_PICTURES = ("png", "svg")


def statistics(path: Path) -> Any:
    """Return a polars DataFrame: a row for each split, label and category with videos, shots, clips, minutes.

    Raises:
        UsageError: it is no manifest.
    """
    import polars

    frame = read_frame(path).with_columns(polars.col("category").fill_null(""))
    order = {name: number for number, name in enumerate(SPLITS)}
    shot = polars.struct("video", "shot_s")
    return (
        frame.group_by("split", "label", "category")
        .agg(
            polars.col("video").n_unique().alias("videos"),
            shot.n_unique().alias("shots"),
            polars.len().alias("clips"),
            polars.col("id").n_unique().alias("distinct"),
            ((polars.col("end_s") - polars.col("start_s")).sum() / 60).alias("minutes"),
        )
        .sort(polars.col("split").replace_strict(order, default=len(order)), "label", "category")
    )


def markdown(rows: Any) -> str:
    """Return statistics as Markdown: classes by split, then categories."""
    import polars

    splits = [name for name in SPLITS if name in rows["split"].to_list()]
    by_class = rows.group_by("label", "split").agg(polars.col("clips", "minutes").sum())
    held = {(row["label"], row["split"]): row for row in by_class.iter_rows(named=True)}
    labels = sorted({label for label, _ in held})

    def line(label: str, names: Sequence[str]) -> dict[str, object]:
        cells: dict[str, object] = {"class": label}
        for split in splits:
            found = [held[name, split] for name in names if (name, split) in held]
            cells[f"{split} clips"] = sum(row["clips"] for row in found)
            cells[f"{split} min"] = round(sum(row["minutes"] for row in found), 1)
        return cells

    lines = ["## Classes", "", table([*(line(label, [label]) for label in labels), line("all", labels)])]
    categories = [
        {
            "class": row["label"],
            "category": row["category"] or "-",
            "split": row["split"],
            "videos": row["videos"],
            "shots": row["shots"],
            "clips": row["clips"],
            "distinct": row["distinct"],
            "min": round(row["minutes"], 1),
        }
        for row in rows.sort("label", "category", maintain_order=True).iter_rows(named=True)
    ]
    return "\n".join([*lines, "", "## Categories", "", table(categories)]) + "\n"


def write_statistics(rows: Any, folder: Path) -> list[Path]:
    """Write stats.md, and classes and categories as .png and .svg; returns their paths.

    Raises:
        OutputError: a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}; choose another place") from None
    text = folder / "stats.md"
    written = [text]
    figures = {"classes": _bars(rows, ("label",)), "categories": _bars(rows, ("label", "category"))}
    pictures = "".join(f"\n![Minutes by {name}]({name}.png)\n" for name in figures)
    with replacing(text) as partial:
        partial.write_text(f"# What the data set holds\n{pictures}\n{markdown(rows)}", encoding="utf-8")
    for name, figure in figures.items():
        for suffix in _PICTURES:
            path = folder / f"{name}.{suffix}"
            with replacing(path) as partial:
                # Without a date the same data give the same file.
                figure.savefig(
                    partial, format=suffix, dpi=110, metadata={"Date": None} if suffix == "svg" else None
                )
            written.append(path)
    return written


def _bars(rows: Any, keys: tuple[str, ...]) -> Any:
    """A figure with a bar for each class or category: minutes, split by colour; the clips beside it."""
    import polars
    from matplotlib.figure import Figure

    sums = rows.group_by(*keys, "split").agg(polars.col("minutes", "clips").sum())
    held = {(*[row[key] for key in keys], row["split"]): row for row in sums.iter_rows(named=True)}
    names = sorted({key[:-1] for key in held}, reverse=True)
    shown = [" / ".join(part or "-" for part in name) for name in names]
    widest = max(map(len, shown))
    figure = Figure(figsize=(7 + 0.06 * widest, 1.4 + 0.3 * len(names)), layout="constrained")
    axes = figure.subplots()
    left = [0.0] * len(names)
    for split in SPLITS:
        minutes = [held[*name, split]["minutes"] if (*name, split) in held else 0.0 for name in names]
        if any(minutes):
            axes.barh(shown, minutes, left=left, color=_COLOURS[split], label=split, height=0.75)
        left = [low + more for low, more in zip(left, minutes, strict=True)]
    for at, (name, total) in enumerate(zip(names, left, strict=True)):
        clips = sum(held[*name, split]["clips"] for split in SPLITS if (*name, split) in held)
        axes.annotate(f"{clips} clips", (total, at), (4, 0), textcoords="offset points", va="center", size=8)
    axes.set_xlabel("minutes")
    axes.margins(x=0.12, y=0.02)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure
