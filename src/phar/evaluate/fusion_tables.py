"""What `phar fuse` found, as Markdown."""

from __future__ import annotations

from typing import Any

from phar.dataset.folder import table
from phar.evaluate.fusion_choice import Choice, Judged
from phar.evaluate.fusion_data import FusionData
from phar.evaluate.markdown import number, percent, points


def markdown(choice: Choice, data: FusionData, num_videos: int) -> str:
    """Return the methods, the chosen one's settings, and what each stream adds."""
    return "\n".join(
        [
            f"{len(data.truth)} windows of {num_videos} videos, judged by fusions fitted on other videos.",
            "",
            table(
                [{"fusion": _marked(name, choice), **_figures(row)} for name, row in choice.methods.items()]
            ),
            "",
            f"### {choice.chosen}",
            "",
            _settings(choice, data),
            "",
            "### Without some streams",
            "",
            table(
                [{"streams": " + ".join(names), **_figures(row)} for names, row in choice.ablation.items()]
            ),
        ]
    )


def _marked(name: str, choice: Choice) -> str:
    return f"**{name}**" if name == choice.chosen else name


def _figures(judged: Judged) -> dict[str, Any]:
    return {
        "top-1": percent(judged.top1.document()),
        "over as it is, points": points(judged.gain.document()),
        "log loss": number(judged.loss.document()),
        "top-1 where it was fitted": f"{100 * judged.seen:.1f} %",
    }


def _settings(choice: Choice, data: FusionData) -> str:
    """Weights and temperatures by stream; the range of weights and biases of single labels."""
    setting = choice.setting

    def span(values: Any) -> str:
        return f"{min(values):.2f} to {max(values):.2f}" if values else "-"

    return table(
        [
            {
                "stream": name,
                "weight": f"{setting.weights[name]:.3f}",
                "temperature": f"{setting.temperatures.get(name, 1.0):.3f}",
                "weights of labels": span(setting.label_weights.get(name, {}).values()),
                "biases": span(setting.biases.get(name, {}).values()),
                "spoke in": int(data.spoke[name].sum()),
            }
            for name in data.streams
        ]
    )
