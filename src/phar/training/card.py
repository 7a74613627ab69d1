"""The model card of a trained net: what it is, what it learnt from, and what it is worth on validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import phar
from phar.dataset.folder import table
from phar.openmmlab.complexity import Complexity
from phar.openmmlab.training import MEASURES, best_row


def card(
    record: Mapping[str, Any],
    kind: str,
    rows: Sequence[Mapping[str, float]],
    size: Complexity,
    per_class: Mapping[str, tuple[int, int]] | None,
) -> str:
    """Return the card as Markdown.

    Args:
        record: what `train_own` gave.
        kind: key of `MEASURES`.
        rows: the training's log.
        size: of the net, for one window, picture or person.
        per_class: right and all clips of val by label, where they were counted.
    """
    plan = record["plan"]
    paces = sorted(row["seconds_per_iteration"] for row in rows if "seconds_per_iteration" in row)
    best = best_row(rows, MEASURES[kind])
    clips = record["clips"]
    lines = [
        f"# {record['name']}: {len(record['labels'])} labels",
        "",
        table(
            [
                {"what": "config", "value": record["config"]},
                {"what": "started from", "value": record["started_from"] or "random weights"},
                {"what": "trained on", "value": f"{record['data']}, split train" + _with_val(record)},
                {"what": "parameters", "value": f"{size.parameters:,}"},
                {
                    "what": f"GFLOPs (multiply-adds) a {size.unit}",
                    "value": f"{size.gflops:.3g}, input {'x'.join(map(str, size.input_shape))}",
                },
                {
                    "what": "iterations",
                    "value": f"{round(rows[-1]['iteration']) if rows else 0} of {plan['iterations']}",
                },
                {"what": "batch", "value": plan["batch_size"]},
                {"what": "optimizer", "value": ", ".join(f"{k} {v}" for k, v in plan["optimizer"].items())},
                {"what": "sampling", "value": "classes alike" if record["balanced"] else "clips alike"},
                {"what": "seed", "value": record["seed"]},
                {
                    "what": "seconds per iteration",
                    "value": f"{paces[len(paces) // 2]:.3g} (median)" if paces else "-",
                },
                {"what": "phar", "value": phar.__version__},
            ]
        ),
        "",
        "## Validation",
        "",
    ]
    if best is None:
        lines.append("None: every clip trained.")
    else:
        lines += [
            f"Best at iteration {round(best['iteration'])}, by `{MEASURES[kind].best}`; these clips chose the"
            " checkpoint, so a test split tells more.",
            "",
            table(
                [
                    {"measure": name, "value": f"{best[name]:.4f}"}
                    for name in MEASURES[kind].columns
                    if name in best
                ]
            ),
        ]
    lines += ["", "![Loss and accuracy](curves.png)", "", "## Labels", ""]
    lines.append(
        table(
            [
                {
                    "label": label,
                    "train clips": clips["train"].get(label, 0),
                    "val clips": clips["val"].get(label, 0),
                    **_right(label, per_class),
                }
                for label in record["labels"]
            ]
        )
    )
    return "\n".join(lines) + "\n"


def _with_val(record: Mapping[str, Any]) -> str:
    return " and val" if record["with_val"] else ""


def _right(label: str, per_class: Mapping[str, tuple[int, int]] | None) -> dict[str, str]:
    if per_class is None:
        return {}
    right, count = per_class.get(label, (0, 0))
    return {"val right": f"{right / count:.2f}" if count else "-"}
