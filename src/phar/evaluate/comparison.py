"""Runs of models, and other tools' predictions, brought onto the same videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phar import timeline
from phar.evaluate.predictions import Said, answers_of, predicted_labels
from phar.evaluate.runs import DEPLOYED, OPEN, STILL, Runs
from phar.evaluate.summary import Model
from phar.evaluate.table import (
    FUSED,
    Answers,
    checked,
    fused_answers,
    ordered_labels,
    stream_answers,
    table_of_reports,
    tabulate,
)
from phar.evaluate.truth import VideoTruth, true_labels
from phar.schema import Report, UsageError, Window

#: What the document says of a model's profile.
_ABOUT = ("name", "window_s", "stride_s", "fusion", "coefficients", "temperatures", "models", "precision")


def common(truths: Sequence[VideoTruth], runs: Sequence[Runs]) -> list[VideoTruth]:
    """Return the videos that every model has reports of.

    Raises:
        UsageError: there is none.
    """
    shared = [truth for truth in truths if all(truth.name in run.reports[DEPLOYED] for run in runs)]
    if not shared:
        raise UsageError(
            "there is no video that every model has a report of; name reports of the same videos"
        )
    return shared


def compared(
    truths: Sequence[VideoTruth],
    runs: Sequence[Runs],
    predictions: Mapping[str, Mapping[str, Sequence[Said]]],
    *,
    window_s: float,
    threshold: float,
) -> list[Model]:
    """Return every model and tool with its answers on videos that all of them have.

    Other tools are asked about the first model's windows, or windows of `window_s` where there is none.

    Raises:
        UsageError: nothing that was analysed is known to show anything.
    """
    labels = _labels(truths, runs, predictions)
    models = [_model(run, truths, labels) for run in runs]
    if runs:
        reports = [runs[0].reports[DEPLOYED][truth.name] for truth in truths]
        covers = [[prediction.window for prediction in report.predictions] for report in reports]
        durations_s = [report.video.duration_s for report in reports]
    else:
        durations_s = [truth.duration_s() for truth in truths]
        covers = [timeline.windows(duration_s, window_s, window_s) for duration_s in durations_s]
    for name, found in predictions.items():
        table = checked(tabulate(truths, covers, durations_s, labels))
        fused = answers_of(name, found, table, covers, threshold)
        models.append(Model(name, table, {FUSED: fused}, {"predictions": True}))
    return models


def _labels(
    truths: Sequence[VideoTruth],
    runs: Sequence[Runs],
    predictions: Mapping[str, Mapping[str, Sequence[Said]]],
) -> list[str]:
    """Every label, in the order of the first that names it, `none` last."""
    found: list[str] = []
    for run in runs:
        report = next(iter(run.reports[DEPLOYED].values()))
        found += [*report.labels, *(label for own in report.vocabularies.values() for label in own)]
    found += true_labels(truths)
    found += [label for said in predictions.values() for label in predicted_labels(said)]
    return ordered_labels(found)


def _model(run: Runs, truths: Sequence[VideoTruth], labels: Sequence[str]) -> Model:
    reports = [run.reports[DEPLOYED][truth.name] for truth in truths]
    table = table_of_reports(truths, reports, labels)
    answers: dict[str, Answers] = {FUSED: fused_answers(table, reports)}
    for way in (OPEN, STILL):
        others = [run.reports.get(way, {}).get(truth.name) for truth in truths]
        if all(
            report is not None and _cover(report) == _cover(own)
            for report, own in zip(others, reports, strict=True)
        ):
            answers[f"{FUSED}_{way}"] = fused_answers(table, [each for each in others if each is not None])
    for stream in reports[0].vocabularies:
        answers[stream] = stream_answers(table, reports, stream)
    return Model(run.name, table, answers, {"profile": _about(reports[0])})


def _cover(report: Report) -> list[Window]:
    return [prediction.window for prediction in report.predictions]


def _about(report: Report) -> dict[str, Any]:
    return {key: report.profile[key] for key in _ABOUT if key in report.profile}
