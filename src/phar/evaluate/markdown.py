"""Figures as Markdown tables, fit for pasting into a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from phar.dataset.folder import table

Document = Mapping[str, Any]
Show = Callable[[Document | None], str]

#: How answers beside the streams' are called in tables.
_TITLES = {
    "fused": "**fused**",
    "fused_open": "fused, every stream open",
    "fused_still": "fused, single frames",
}


def markdown(document: Document) -> str:
    """Return the document of `summarize` as Markdown: windows, segments, labels and categories."""
    models = document["models"]
    several = len(models) > 1
    lines = [
        f"{document['windows']} windows of {len(document['videos'])} videos, "
        f"{60 * document['hours']:.0f} minutes; a silent stream counts as wrong. "
        "In brackets 95 % intervals over videos.",
        "",
        _windows(models, several),
        "",
        _segments(models, several),
    ]
    if several:
        lines += ["", _differences(document), "", _compared(models)]
    for model in models:
        title = f" of {model['name']}" if several else ""
        lines += ["", f"### Streams where they spoke{title}", "", _spoke(model)] if model["spoke"] else []
        if "controls" in model:
            lines += ["", f"### Controls{title}", "", _controls(model)]
        lines += ["", f"### Labels{title}", "", _labels(model)]
        if model["answers"]["fused"]["categories"] and not several:
            lines += ["", "### Categories", "", _categories(model)]
        if model["answers"]["fused"]["confused"]:
            lines += ["", f"### Most frequent mistakes{title}", "", _confused(model)]
    if person := models[0].get("person"):
        lines += ["", "### Persons", "", _person(person)]
    return "\n".join(lines)


def percent(figure: Document | None) -> str:
    """A share with its interval: 72.9 % (68.0-77.5)."""
    if figure is None or figure["value"] is None:
        return "-"
    text = f"{100 * figure['value']:.1f} %"
    if figure["low"] is not None:
        text += f" ({100 * figure['low']:.1f}-{100 * figure['high']:.1f})"
    return text


def points(figure: Document | None) -> str:
    """A difference of shares in points: +2.1 (-0.5 to +4.6)."""
    if figure is None or figure["value"] is None:
        return "-"
    text = f"{100 * figure['value']:+.1f}"
    if figure["low"] is not None:
        text += f" ({100 * figure['low']:+.1f} to {100 * figure['high']:+.1f})"
    return text


def number(figure: Document | None, unit: str = "") -> str:
    """A number with its interval: 1.8 s (1.2-2.4)."""
    if figure is None or figure["value"] is None:
        return "-"
    text = f"{figure['value']:.2f}{unit}"
    if figure["low"] is not None:
        text += f" ({figure['low']:.2f}-{figure['high']:.2f})"
    return text


def _answers(models: Sequence[Document], several: bool) -> Iterator[tuple[dict[str, str], Document]]:
    """Each model's answers, with the cells that say whose they are."""
    for model in models:
        for name, answers in model["answers"].items():
            whose = {"model": model["name"]} if several else {}
            yield {**whose, "answer": _TITLES.get(name, name)}, answers


def _windows(models: Sequence[Document], several: bool) -> str:
    return table(
        [
            {
                **whose,
                "top-1": percent(answers["top1"]),
                "top-2": _bare(answers["top2"]),
                "top-3": _bare(answers["top3"]),
                "top-4": _bare(answers["top4"]),
                "top-5": _bare(answers["top5"]),
                "after the threshold": _bare(answers["top1_named"]),
                "mean class": percent(answers["mean_class_accuracy"]),
                "macro F1": percent(answers["macro_f1"]),
                "mean AP": percent(answers["map"]),
                "calibration error": _bare(answers["calibration_error"]),
            }
            for whose, answers in _answers(models, several)
        ]
    )


def _segments(models: Sequence[Document], several: bool) -> str:
    def row(segments: Document) -> dict[str, str]:
        overlaps = [key for key, value in segments.items() if "map" in value]
        return {
            **{f"mAP, tIoU {key}": percent(segments[key]["map"]) for key in overlaps},
            "false alarms an hour": number(segments["false_alarms_per_hour"]),
            "segments found": percent(segments["found"]),
            "bounds off by": number(segments["matched_s"], " s"),
            "nearest bound": number(segments["nearest_s"], " s"),
            "tag F1": percent(segments["tag_f1"]),
        }

    return table([{**whose, **row(answers["segments"])} for whose, answers in _answers(models, several)])


def _spoke(model: Document) -> str:
    return table(
        [
            {
                "stream": name,
                "spoke in": there["windows"],
                "top-1 there": percent(there["stream"]),
                "RGB there": percent(there["rgb"]),
                "fused there": percent(there["fused"]),
            }
            for name, there in model["spoke"].items()
        ]
    )


def _labels(model: Document) -> str:
    fused = model["answers"]["fused"]["labels"]
    streams = {name: model["answers"][name]["labels"] for name in model["spoke"]}
    return table(
        [
            {
                "label": label,
                "windows": values["windows"],
                "precision": percent(values["precision"]),
                "recall": percent(values["recall"]),
                "F1": percent(values["f1"]),
                "AP": percent(values["ap"]),
                **{f"{name} F1": _bare(own.get(label, {}).get("f1")) for name, own in streams.items()},
            }
            for label, values in fused.items()
        ]
    )


def _categories(model: Document) -> str:
    return table(
        [
            {
                "label": row["label"],
                "category": row["category"] or "-",
                "windows": row["windows"],
                "precision": percent(row["precision"]),
                "recall": percent(row["recall"]),
                "F1": percent(row["f1"]),
            }
            for row in model["answers"]["fused"]["categories"]
        ]
    )


def _differences(document: Document) -> str:
    return table(
        [
            {"model": row["model"], f"top-1 over {row['from']}, points": points(row["top1"])}
            for row in document["differences"]
        ]
    )


def _compared(models: Sequence[Document]) -> str:
    """F1 of every label and category, model beside model."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for model in models:
        fused = model["answers"]["fused"]
        entries = [(label, "all", values) for label, values in fused["labels"].items()]
        entries += [(row["label"], row["category"] or "-", row) for row in fused["categories"]]
        for label, category, values in entries:
            row = rows.setdefault(
                (label, category), {"label": label, "category": category, "windows": values["windows"]}
            )
            row[f"{model['name']} F1"] = percent(values["f1"])
    columns = [f"{model['name']} F1" for model in models]
    filled = [{**row, **{name: row.get(name, "-") for name in columns}} for row in rows.values()]
    order = {label: at for at, label in enumerate(dict.fromkeys(row["label"] for row in filled))}
    filled.sort(key=lambda row: (order[row["label"]], row["category"] != "all"))
    return f"### Labels and categories\n\n{table(filled)}"


def _confused(model: Document) -> str:
    return table(
        [
            {"truth": row["truth"], "named": row["said"], "windows": row["windows"]}
            for row in model["answers"]["fused"]["confused"]
        ]
    )


def _controls(model: Document) -> str:
    controls = model["controls"]
    common = controls["commonest"]
    still = model["answers"].get("fused_still")
    rows = [
        {"control": "labels of the truth shuffled", "top-1": percent(controls["shuffled"])},
        {"control": f"`{common['label']}` for everything", "top-1": percent(common["top1"])},
    ]
    if still is not None:
        rows.append({"control": "one picture of each window, no sound", "top-1": percent(still["top1"])})
    return table(rows)


def _person(person: Document) -> str:
    titles = {
        "ap50": "detector, AP50",
        "recall": "detector, recall at the profile's threshold",
        "precision": "detector, precision at the profile's threshold",
        "pck@0.1": "pose, PCK@0.1 of the box, in true boxes",
        "pck@0.1_detected": "pose, the same in the detector's boxes",
    }
    rows = [{"measure": title, "value": f"{person[key]:.3f}"} for key, title in titles.items()]
    return f"{person['frames']} pictures with {person['persons']} persons.\n\n{table(rows)}"


def _bare(figure: Document | None) -> str:
    """A share without its interval."""
    return percent(figure and {**figure, "low": None})
