"""What child processes do for the server, so that no video is ever opened in the server's own process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phar.batch.catalogue import Seen
from phar.batch.engine import Tell
from phar.batch.job import Looked, VideoJob, VideoTask
from phar.export import read_report
from phar.moderation.judging import Verdict, clock, judge
from phar.moderation.policy import Policy
from phar.moderation.spans import AlarmSpan
from phar.moderation.verdict import Input, to_document, write_document
from phar.schema import Report
from phar.serve.reviewing import Proposal

if TYPE_CHECKING:
    from phar.pipeline import Part

#: Longer side of previews.
_PREVIEW_PX = 640

#: Quality of previews: they show what happens, and come quickly.
_PREVIEW_CRF = 28

#: How long ffmpeg may take for a preview.
_PREVIEW_S = 45.0

_SEVERITY = {"block": 2, "review": 1}


@dataclass(frozen=True)
class Judged:
    """What came of an analysis."""

    action: str
    """safe, review or block."""
    reasons: tuple[str, ...]
    proposals: tuple[Proposal, ...]
    duration_s: float
    sha256: str | None


@dataclass
class JudgingJob(VideoJob):
    """The batch's job, which also judges each report and writes the verdict beside it."""

    policy: Policy | None = None

    def run(self, task: VideoTask, tell: Tell) -> Looked | Seen | Part | Judged:  # type: ignore[override]
        """See `VideoJob.run`; an analysis ends with `Judged`."""
        result = super().run(task, tell)
        if not isinstance(result, Seen):
            return result
        assert self.policy is not None
        report = read_report(self.places.report(task.place))
        verdict = judge(self.policy, report)
        document = to_document(
            verdict, report, self.policy, Input(task.path, task.sha256, task.stamp.size_bytes)
        )
        target = verdict_path(self.places.folder, task.place)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_document(document, target)
        return Judged(
            action=verdict.action,
            reasons=verdict.reasons,
            proposals=tuple(proposals(self.policy, verdict, report)),
            duration_s=report.video.duration_s,
            sha256=task.sha256,
        )


def verdict_path(folder: Path, place: str) -> Path:
    """Return where a job's verdict lies."""
    return folder / "verdicts" / f"{place}.json"


def proposals(policy: Policy, verdict: Verdict, report: Report) -> list[Proposal]:
    """Return what people are asked about a video: each span of its verdict, with one label."""
    return [
        Proposal(
            start_s=span.start_s,
            end_s=span.end_s,
            label=_label(policy, span, report),
            category=span.category,
            severity=_SEVERITY[span.action],
            peak=span.peak,
            why=_why(span),
        )
        for span in verdict.spans
    ]


def _why(span: AlarmSpan) -> str:
    windows = "1 window" if span.num_windows == 1 else f"{span.num_windows} windows"
    return f"{span.category} at most {span.peak:.3f} in {windows} from {clock(span.start_s)}"


def _label(policy: Policy, span: AlarmSpan, report: Report) -> str:
    """Return what annotations call it: where they use the policy's labels, the one with the highest score."""
    category = next(each for each in policy.categories if each.name == span.category)
    if set(category.truth) != set(category.labels):
        return category.truth[0]
    stream = category.stream
    names = report.labels if stream is None else report.vocabularies[stream]
    best, label = -1.0, category.labels[0]
    for prediction in report.predictions:
        if prediction.window.end_s <= span.start_s or prediction.window.start_s >= span.end_s:
            continue
        scores = prediction.probs if stream is None else prediction.streams[stream].probs
        for name in category.labels if scores is not None else ():
            assert scores is not None
            score = float(scores[names.index(name)])
            if score > best:
                best, label = score, name
    return label


@dataclass(frozen=True)
class ShotsTask:
    """Find a video's shots."""

    row_id: int
    """Number of the job."""
    path: str
    size_bytes: int


@dataclass(frozen=True)
class Shots:
    """Where a video's shots lie."""

    spans: Sequence[tuple[float, float]]


class ShotsJob:
    """Finds shots as `phar dataset scenes` does."""

    def prepare(self, slot: int, task: ShotsTask) -> None:
        """Nothing is loaded."""

    def run(self, task: ShotsTask, tell: Tell) -> Shots:
        """Find the shots of one video. Raises MediaError."""
        from phar.dataset.detectors import DetectorSettings
        from phar.dataset.index import index_video
        from phar.media import probe

        # How long it may take goes by the length.
        duration_s = probe(task.path).duration_s
        tell("shots", 0.0, duration_s)
        index, _ = index_video(
            Path(task.path), DetectorSettings(), told=lambda done_s: tell("shots", done_s, duration_s)
        )
        return Shots(index.shots())


@dataclass(frozen=True)
class PreviewTask:
    """Cut a span out of a video."""

    number: int
    path: str
    start_s: float
    end_s: float
    target: str
    size_bytes: int = 0


class PreviewJob:
    """Cuts previews: small, with sound, H.264 and AAC."""

    def prepare(self, slot: int, task: PreviewTask) -> None:
        """Nothing is loaded."""

    def run(self, task: PreviewTask, tell: Tell) -> None:
        """Write one preview. Raises MediaError or OutputError."""
        from phar.media import write_excerpt

        write_excerpt(
            task.path,
            task.start_s,
            task.end_s,
            task.target,
            _PREVIEW_CRF,
            max_side_px=_PREVIEW_PX,
            timeout_s=_PREVIEW_S,
        )
