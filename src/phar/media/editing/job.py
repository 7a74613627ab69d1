"""Cut, hide or mute spans of a video, touching as little of the rest as can be."""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import numpy as np

from phar.media.demux import Packet, StreamClock, straighten
from phar.media.editing.captions import Captions, Cover, moved_chapters
from phar.media.editing.checking import check_joins
from phar.media.editing.encoders import can_encode
from phar.media.editing.mapping import TimeMap
from phar.media.editing.metadata import lasting
from phar.media.editing.packets import PacketIndex, Unfit, read_index
from phar.media.editing.pictures import EFFECTS
from phar.media.editing.pieces import Copied, Encoded, Fate, fates, kept_spans, pieces
from phar.media.editing.splicing import Splice
from phar.media.editing.tracks import Track, track_for
from phar.media.editing.whole import Whole
from phar.media.source import Source, Warnings, first_frame
from phar.schema import OutputError, UsageError

Span = tuple[float, float]

#: Container by suffix.
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}

#: What can be done to spans; all but cut may be done together.
ACTIONS = ("cut", *EFFECTS, "mute")

Tell = Callable[[float], None]


@dataclass(frozen=True)
class Edit:
    """What is to be done to a video."""

    spans: Sequence[Span]
    """Source times, increasing and apart from each other."""
    actions: Sequence[str] = ("cut",)
    """Of `ACTIONS`."""
    exact: bool = True
    """Of cuts: whether they lie on the pictures asked for, or grow to where packets can be copied."""

    def __post_init__(self) -> None:
        if unknown := set(self.actions) - set(ACTIONS):
            raise ValueError(f"unknown actions {sorted(unknown)}")

    @property
    def cuts(self) -> bool:
        """Whether the spans are taken out."""
        return "cut" in self.actions

    @property
    def effect(self) -> str | None:
        """The action that changes pictures, if there is one."""
        return next((action for action in self.actions if action in EFFECTS), None)


@dataclass(frozen=True, eq=False)
class EditPlan:
    """What will be done, once the packets are known."""

    edit: Edit
    source: Path
    index: PacketIndex | None
    """None if the whole video has to be encoded anew."""
    spans: tuple[tuple[Fraction, Fraction], ...]
    """What is really cut or changed, in source time: the spans, grown to whole pictures or further."""
    kept: tuple[tuple[Fraction, Fraction | None], ...]
    """What is left; None where everything to the end is."""
    encoded_s: Fraction
    """Seconds of video that are encoded anew."""
    warnings: tuple[str, ...] = ()
    splice: Splice | None = field(default=None, repr=False)


def plan_edit(source: str | Path, edit: Edit, duration_s: float, fps: Fraction) -> EditPlan:
    """Work out what an edit does, without writing anything.

    Args:
        source: the video.
        edit: what to do.
        duration_s: length of the video as it was decoded.
        fps: its frame rate.

    Raises:
        MediaError: the video cannot be read.
        UsageError: nothing would be left of it.
    """
    path = Path(source)
    try:
        return _spliced(path, edit, read_index(path), fps)
    except Unfit as error:
        return _whole(path, edit, duration_s, fps, str(error))


def _spliced(path: Path, edit: Edit, index: PacketIndex, fps: Fraction) -> EditPlan:
    fate = fates(index, edit.spans, Fate.DROPPED if edit.cuts else Fate.CHANGED)
    if not edit.cuts and edit.effect is None:
        fate[fate == Fate.CHANGED] = Fate.KEPT
    parts = pieces(index, fate)
    warnings: list[str] = []
    if edit.cuts and not edit.exact:
        parts = [part for part in parts if isinstance(part, Copied)]
    elif any(isinstance(part, Encoded) for part in parts) and not can_encode(index.codec):
        raise Unfit(f"parts of {index.codec} video cannot be encoded to fit the rest")
    if not parts:
        raise _nothing_left(edit)
    splice = Splice(path, index, parts, fate, EFFECTS.get(edit.effect or ""), fps)
    kept = [
        (index.seconds(start), None if end == index.end else index.seconds(end))
        for start, end in kept_spans(index, splice.order.ranks)
    ]
    starts = np.sort(index.shown)
    ends = np.append(starts[1:], index.end)
    encoded = sum(
        (
            (int(ends[part.last - 1]) - int(starts[part.first])) * index.time_base
            for part in parts
            if isinstance(part, Encoded)
        ),
        Fraction(0),
    )
    end_s = index.seconds(index.end)
    if edit.cuts:
        spans = _between(kept, end_s)
        grown_s = sum(b - a for a, b in spans) - Fraction(sum(b - a for a, b in edit.spans))
        if not edit.exact and grown_s > 15:
            warnings.append(
                f"key pictures are far apart: {float(grown_s):.1f} s more than asked for are cut; "
                "use --mode exact to keep them"
            )
    else:
        changed = np.flatnonzero(fate == Fate.CHANGED)
        found = kept_spans(index, changed) if len(changed) else []
        spans = [(index.seconds(start), index.seconds(end)) for start, end in found]
        if edit.effect is None:
            spans = [(Fraction(start), Fraction(end)) for start, end in edit.spans]
    return EditPlan(edit, path, index, tuple(spans), tuple(kept), encoded, tuple(warnings), splice)


def _whole(path: Path, edit: Edit, duration_s: float, fps: Fraction, reason: str) -> EditPlan:
    """Plan to encode everything; spans grow to the grid of a constant frame rate."""
    spans: list[tuple[Fraction, Fraction]] = []
    end_s = Fraction(duration_s)
    for start, end in edit.spans:
        low = max(Fraction(0), floor((Fraction(start) + Fraction(1, 1000)) * fps) / fps)
        high = ceil((Fraction(end) - Fraction(1, 1000)) * fps) / fps
        high = end_s if high > end_s - 1 / fps / 2 else high
        if spans and low <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(high, spans[-1][1]))
        elif low < high:
            spans.append((low, high))
    kept: list[tuple[Fraction, Fraction | None]] = [(Fraction(0), None)]
    if edit.cuts:
        kept = list(_complement(spans, end_s))
        if not kept:
            raise _nothing_left(edit)
    warning = f"the whole video is encoded anew, because {reason}"
    return EditPlan(edit, path, None, tuple(spans), tuple(kept), end_s, (warning,))


def _between(
    kept: Sequence[tuple[Fraction, Fraction | None]], end_s: Fraction
) -> list[tuple[Fraction, Fraction]]:
    """Return what lies between kept spans."""
    found = []
    at = Fraction(0)
    for start, end in kept:
        if start > at:
            found.append((at, start))
        at = end_s if end is None else end
    return [*found, (at, end_s)] if at < end_s else found


def _complement(
    spans: Sequence[tuple[Fraction, Fraction]], end_s: Fraction
) -> Iterator[tuple[Fraction, Fraction | None]]:
    at = Fraction(0)
    for start, end in spans:
        if start > at:
            yield at, start
        at = end
    if at < end_s:
        yield at, None


def _nothing_left(edit: Edit) -> UsageError:
    remedy = "name fewer labels" if edit.exact else "name fewer labels, or use --mode exact"
    return UsageError(f"nothing of the video would be left; {remedy}")


def edit_video(plan: EditPlan, target: str | Path, comment: str, tell: Tell | None = None) -> tuple[str, ...]:
    """Write the edited video; it appears whole or not at all.

    Sound, subtitles, chapters, attachments and metadata are carried over and moved with the pictures.
    What was joined is decoded and compared with the source; if it differs, all is encoded anew.

    Args:
        plan: from `plan_edit`.
        target: ends in one of `FORMATS`.
        comment: the container's comment, by which `read_comment` knows the file again.
        tell: called now and then with the seconds written.

    Returns:
        Warnings, one line each.

    Raises:
        MediaError: the video cannot be read.
        OutputError: the target cannot be written.
    """
    path = Path(target)
    format_name = FORMATS.get(path.suffix.lower())
    if format_name is None:
        raise OutputError(f"{path}: videos are written as {', '.join(FORMATS)}; change the suffix")
    partial = path.with_name(f".{path.stem[:100]}.{os.getpid()}.part{path.suffix}")
    warnings = Warnings()
    for line in plan.warnings:
        warnings.add(line)
    try:
        if plan.splice is not None:
            try:
                _Job(plan, partial, format_name, comment, warnings, tell).run()
                check_joins(partial, plan.splice)
            except (Unfit, av.error.InvalidDataError, av.error.ArgumentError, ValueError) as error:
                reason = str(error) if isinstance(error, Unfit) else "its packets do not fit the new file"
                warnings = Warnings()
                plan = _again(plan, reason)
                warnings.add(plan.warnings[0])
        if plan.splice is None:
            _Job(plan, partial, format_name, comment, warnings, tell).run()
        partial.replace(path)
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{path}: cannot be written ({reason}); choose another place") from error
    finally:
        partial.unlink(missing_ok=True)
    return warnings.lines()


def _again(plan: EditPlan, reason: str) -> EditPlan:
    """Plan the same with all of the video encoded anew."""
    assert plan.index is not None and plan.splice is not None
    duration_s = float(plan.index.seconds(plan.index.end))
    return _whole(plan.source, plan.edit, duration_s, plan.splice.fps, reason)


class _Job:
    """One run over the source that writes one file."""

    def __init__(
        self,
        plan: EditPlan,
        partial: Path,
        format_name: str,
        comment: str,
        warnings: Warnings,
        tell: Tell | None,
    ) -> None:
        self._plan = plan
        self._partial = partial
        self._format = format_name
        self._comment = comment
        self._warnings = warnings
        self._tell = tell
        self._times = TimeMap(plan.kept)

    def run(self) -> None:
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(contextlib.closing(Source(self._plan.source, num_threads=1)))
            template = stack.enter_context(contextlib.closing(Source(self._plan.source, num_threads=1)))
            options = {} if self._format in ("matroska", "webm") else {"movflags": "+faststart"}
            container = av.open(f"file:{self._partial}", "w", format=self._format, container_options=options)
            try:
                self._write(container, source, template)
                container.close()
            except BaseException:
                with contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
                    container.close()
                raise

    def _write(self, container: av.container.OutputContainer, source: Source, template: Source) -> None:
        container.metadata.update(lasting(source.container.metadata))
        container.metadata["comment"] = self._comment
        video: Splice | Whole
        if self._plan.splice is not None:
            video = self._plan.splice
        else:
            effect = EFFECTS.get(self._plan.edit.effect or "")
            video = Whole(self._plan.source, self._times, self._plan.spans, effect, template.fps)
        stream = video.attach(container, template)
        stream.metadata.update(lasting(source.video.metadata))
        stream.disposition = source.video.disposition
        origin_s = self._origin_s(template)
        handlers = self._attach_others(container, source)
        chapters = moved_chapters(source.container.chapters(), self._times, origin_s)
        if chapters:
            container.set_chapters(chapters)
        container.start_encoding()
        others = self._others(source, handlers, origin_s)
        for number, (at_s, packet) in enumerate(
            heapq.merge(video.packets(stream), others, key=lambda made: made[0])
        ):
            container.mux(packet)
            if self._tell is not None and number % 500 == 0:
                self._tell(float(at_s))

    def _origin_s(self, template: Source) -> Fraction:
        if self._plan.index is not None:
            return self._plan.index.origin * self._plan.index.time_base
        with contextlib.closing(Source(self._plan.source, num_threads=1)) as source:
            first = first_frame(source)
            base = source.video.time_base
            if first is None or base is None:
                return Fraction(0)
            ticks = first.dts if first.pts is None else first.pts
            return (ticks or 0) * base

    def _attach_others(
        self, container: av.container.OutputContainer, source: Source
    ) -> dict[int, Track | Captions | Cover]:
        found: dict[int, Track | Captions | Cover] = {}
        mutes = self._plan.spans if "mute" in self._plan.edit.actions else ()
        for stream in source.container.streams:
            if stream.type == "audio":
                if stream.codec_context is None or not stream.codec_context.sample_rate:
                    self._warnings.add("audio: a track of unknown codec was left out")
                    continue
                found[stream.index] = track_for(stream, container, self._times, mutes, self._warnings)
            elif stream.type == "subtitle":
                captions = Captions(stream, self._times)
                if captions.attach(container, stream, self._warnings):
                    found[stream.index] = captions
            elif stream.type == "video" and stream.disposition & stream.disposition.attached_pic:
                cover = Cover(self._plan.source, stream)
                if cover.attach(container, stream, self._warnings):
                    found[stream.index] = cover
            elif stream.type == "attachment" and self._format == "matroska":
                container.add_stream_from_template(stream)
            elif stream.type == "data":
                self._warnings.add("data: a track that is no picture, sound or text was left out")
        return found

    def _others(
        self, source: Source, handlers: dict[int, Any], origin_s: Fraction
    ) -> Iterator[tuple[Fraction, Packet]]:
        """Yield the packets of all tracks but the video."""
        video = source.video.index
        clocks = {index: StreamClock() for index in (*handlers, video)}
        for packet in _demuxed(source, self._warnings):
            if packet.stream_index not in clocks:
                continue
            clock = clocks[packet.stream_index]
            if packet.stream.type in ("video", "audio"):
                other = clocks[video] if packet.stream_index != video else StreamClock()
                straighten(packet, clock, other, self._warnings)
            ticks = packet.pts if packet.pts is not None else packet.dts
            if packet.stream_index == video or ticks is None or not packet.time_base:
                continue
            yield from handlers[packet.stream_index].packets(packet, ticks * packet.time_base - origin_s)
        for handler in handlers.values():
            yield from handler.finish()


def _demuxed(source: Source, warnings: Warnings) -> Iterator[Packet]:
    """Yield all packets, going on behind damaged parts."""
    for _ in range(50):
        try:
            for packet in source.demux():
                if packet.size:
                    yield packet
            return
        except (av.error.FFmpegError, ValueError, OSError):
            warnings.add("container: a damaged part was skipped")
