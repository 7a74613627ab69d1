"""Confusion matrices, reliability diagrams and recalls as PNG and SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

SUFFIXES = ("png", "svg")
#: Labels up to which counts are written into the cells of a matrix.
_MOST_WRITTEN = 30
_COLOUR = "#0072B2"


def pictures(model: Mapping[str, Any], labels: list[str]) -> dict[str, Figure]:
    """Return the pictures of one model in the document of `summarize`, by name."""
    answers = model["answers"]
    found = {
        f"confusion-{name}": confusion(each["confusion"], labels)
        for name, each in answers.items()
        if name == "fused" or name in model["spoke"]
    }
    found["reliability"] = reliability({name: each["reliability"] for name, each in answers.items()})
    found["f1"] = by_label({name: each["labels"] for name, each in answers.items()}, labels)
    return found


def encoded(figure: Figure, suffix: str) -> bytes:
    """Return a picture as a file's content; the same figures give the same bytes."""
    buffer = io.BytesIO()
    # Without a date and random names of elements.
    with rc_context({"svg.hashsalt": "phar"}):
        figure.savefig(
            buffer, format=suffix, dpi=110, metadata={"Date": None} if suffix == "svg" else {"Software": None}
        )
    return buffer.getvalue()


def confusion(counts: list[list[int]], labels: list[str]) -> Figure:
    """A matrix of windows: a row for each label that is true somewhere, coloured by its share of the row."""
    table = np.array(counts, dtype=float)
    # A column for what was named, too, though it was never true; the last one is silence.
    rows = np.flatnonzero(table.sum(axis=1))
    columns = np.flatnonzero((table.sum(axis=0) > 0) | np.isin(np.arange(table.shape[1]), rows))
    names = [*labels, "silent"]
    shown = table[np.ix_(rows, columns)]
    share = shown / np.maximum(shown.sum(axis=1, keepdims=True), 1)
    widest = max(len(names[i]) for i in columns)
    size = (2.2 + 0.42 * len(columns) + 0.08 * widest, 1.4 + 0.36 * len(rows) + 0.08 * widest)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), [names[i] for i in columns], rotation=90)
    axes.set_yticks(range(len(rows)), [f"{names[i]}  {int(table[i].sum())}" for i in rows])
    axes.set_xlabel("named")
    axes.set_ylabel("true, and how many windows")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if len(columns) <= _MOST_WRITTEN:
        for (row, column), number in np.ndenumerate(shown):
            if number:
                colour = "white" if share[row, column] > 0.55 else "black"
                axes.text(column, row, f"{number:.0f}", ha="center", va="center", size=8, color=colour)
    figure.colorbar(image, ax=axes, shrink=0.6, label="share of the row", ticks=[0, 0.5, 1])
    return figure


def reliability(bins: Mapping[str, list[dict[str, Any]]]) -> Figure:
    """For each answer, how often the best label was right by its score; scores promise the diagonal."""
    across = min(3, len(bins))
    down = -(-len(bins) // across)
    figure = Figure(figsize=(0.4 + 2.7 * across, 0.4 + 2.7 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(bins) :]:
        axes.set_visible(False)
    for axes, (name, rows) in zip(grid.flat, bins.items(), strict=False):
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--")
        largest = max((row["windows"] for row in rows), default=1)
        scores, rights = [row["score"] for row in rows], [row["right"] for row in rows]
        axes.plot(scores, rights, color=_COLOUR, linewidth=1)
        axes.scatter(
            scores, rights, s=[15 + 105 * row["windows"] / largest for row in rows], color=_COLOUR, zorder=3
        )
        axes.set(xlim=(0, 1), ylim=(-0.03, 1.03), title=name.replace("_", ", "), aspect="equal")
        axes.title.set_size(10)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("score of the best label", size=10)
    figure.supylabel("share that was right", size=10)
    return figure


def by_label(answers: Mapping[str, Mapping[str, Any]], labels: list[str]) -> Figure:
    """F1 of every label: the fused answer with its interval, every stream as a mark."""
    fused, *others = answers
    names = [name for name in labels if answers[fused].get(name, {}).get("windows")]
    figure = Figure(figsize=(6.5, 1.4 + 0.32 * len(names)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(names))[::-1]
    values = [answers[fused][name]["f1"] for name in names]
    axes.barh(places, [each["value"] or 0 for each in values], color=_COLOUR, height=0.62, label=fused)
    for place, each in zip(places, values, strict=True):
        if each["low"] is not None:
            axes.plot([each["low"], each["high"]], [place, place], color="black", linewidth=1.2)
    for marker, colour, name in zip(
        "os^Dv", ("#D55E00", "#CC79A7", "#F0E442", "#009E73", "#56B4E9"), others, strict=False
    ):
        given = [answers[name].get(label, {}).get("f1", {}).get("value") for label in names]
        # A mark at 0 is mostly a label that the stream does not know.
        seen = [(value, place) for value, place in zip(given, places, strict=True) if value]
        if seen:
            axes.scatter(
                [value for value, _ in seen],
                [place for _, place in seen],
                marker=marker,
                color=colour,
                edgecolor="black",
                linewidth=0.5,
                s=32,
                zorder=3,
                label=name.replace("_", ", "),
            )
    axes.set_yticks(places, names)
    axes.set(xlim=(0, 1.02), xlabel="F1 of windows; the line is the 95 % interval of the fused answer")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure
