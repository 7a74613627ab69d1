"""A live session: watchers, the nets, the policy, and events."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from phar import __version__
from phar.moderation.judging import WindowVerdict, judge_window
from phar.moderation.live.events import Events, stamp
from phar.moderation.live.inbox import Inbox, Waiting
from phar.moderation.live.sources import LiveSource
from phar.moderation.live.turns import Turns
from phar.moderation.live.watcher import Received, Watcher, Watching
from phar.moderation.policy import Policy
from phar.moderation.spans import Change, Tracker
from phar.moderation.verdict import policy_document, span_document, window_document
from phar.pipeline import Analyzer
from phar.profile import describe

#: Windows judged together, of whatever sources.
_BATCH = 4

#: How often silent sources are looked for.
_LOOK_S = 0.5

#: How long threads may take to end.
_GOODBYE_S = 5.0


@dataclass(frozen=True)
class LiveOptions:
    """How patient a session is."""

    stall_s: float = 10.0
    """Silence after which a source is cut and called again."""
    idle_s: float = 30.0
    """A file that has not grown for so long is complete."""
    max_calls: int = 16
    """Sampled sources that are called at the same time."""
    duration_s: float | None = None
    """When to end; None: when every source has ended, which only files do."""


@dataclass
class _State:
    """What is known of one source."""

    source: LiveSource
    trackers: list[Tracker]
    span_ids: dict[str, str] = field(default_factory=dict)
    """Id of the open span of each category."""


class Session:
    """Watches sources until they end or somebody stops it."""

    def __init__(
        self,
        analyzer: Analyzer,
        policy: Policy,
        sources: Sequence[LiveSource],
        events: Events,
        options: LiveOptions | None = None,
    ) -> None:
        self._analyzer = analyzer
        self._policy = policy
        self._events = events
        self._options = options or LiveOptions()
        self._stop = threading.Event()
        self._inbox: Inbox[Received] = Inbox()
        self._states = {source.name: _State(source, self._trackers(source)) for source in sources}
        profile = analyzer.profile
        self._vocabularies = {name: spec.labels for name, spec in profile.streams.items()}
        watching = Watching(
            window_s=profile.window_s,
            stride_s=profile.stride_s,
            audio_hz=analyzer.streams.audio_hz,
            wanted=analyzer.wanted,
            inbox=self._inbox,
            calls=Turns(self._options.max_calls),
            stall_s=self._options.stall_s,
            idle_s=self._options.idle_s,
        )
        self._watchers = [
            Watcher(
                source,
                watching,
                partial(self._note_state, source.name),
                self._stop,
                first_call_s=number * source.every_s / len(sources),
            )
            for number, source in enumerate(sources)
        ]

    def run(self) -> None:
        """Watch and judge; open spans are closed at the end, whatever ends it."""
        started = time.monotonic()
        self._events.tell("session", **self._about())
        for watcher in self._watchers:
            watcher.start()
        looked = started
        try:
            while not self._over(started):
                self._work(self._inbox.take(_BATCH, _LOOK_S))
                if time.monotonic() - looked >= _LOOK_S:
                    looked = time.monotonic()
                    for watcher in self._watchers:
                        watcher.check()
        finally:
            self.stop()
            for watcher in self._watchers:
                watcher.end()
            deadline = time.monotonic() + _GOODBYE_S
            for watcher in self._watchers:
                watcher.join(max(0.0, deadline - time.monotonic()))
            for name in self._states:
                self._close_spans(name)

    def stop(self) -> None:
        """Let `run` return soon; may be called by any thread."""
        self._stop.set()
        self._inbox.close()

    def _over(self, started: float) -> bool:
        if self._stop.is_set():
            return True
        limit = self._options.duration_s
        if limit is not None and time.monotonic() - started >= limit:
            return True
        return not any(watcher.is_alive() for watcher in self._watchers) and self._inbox.is_empty

    def _work(self, taken: list[Waiting[Received]]) -> None:
        """Judge what came in, and tell of all of it in the order in which it came."""
        received = [each.item for each in taken if each.item is not None]
        predictions = iter(self._analyzer.predict([each.media for each in received]) if received else [])
        labels = self._analyzer.profile.labels
        for each in taken:
            if each.note is not None:
                each.note()
            elif each.item is not None:
                verdict = judge_window(self._policy, next(predictions), labels, self._vocabularies)
                self._say(each.source, each.item, verdict, each.skipped)

    def _say(self, name: str, received: Received, verdict: WindowVerdict, skipped: int) -> None:
        """Tell what is said of one window, and what it did to spans."""
        now = time.time()
        self._events.tell(
            "window",
            source=name,
            received=stamp(received.received_at),
            delay_s=round(max(0.0, now - received.received_at), 3),
            skipped_windows=skipped,
            **window_document(verdict),
        )
        for tracker in self._states[name].trackers:
            for change in tracker.feed(verdict.window, verdict.probabilities[tracker.category.name]):
                self._tell_span(name, change)

    def _tell_span(self, name: str, change: Change) -> None:
        ids = self._states[name].span_ids
        category = change.span.category
        span_id = ids.setdefault(category, f"{self._events.session[:12]}-{len(ids)}-{time.time_ns():x}")
        if change.state == "closed":
            del ids[category]
        self._events.tell(
            "span",
            source=name,
            span=span_id,
            state=change.state,
            policy={
                "name": self._policy.name,
                "version": self._policy.version,
                "sha256": self._policy.sha256,
            },
            **span_document(change.span),
        )

    def _close_spans(self, name: str) -> None:
        for tracker in self._states[name].trackers:
            for change in tracker.finish():
                self._tell_span(name, change)

    def _trackers(self, source: LiveSource) -> list[Tracker]:
        """Trackers of every category; windows that are sampled one after the other count as neighbours."""
        return [
            Tracker(replace(category, max_gap_s=category.max_gap_s + source.every_s))
            for category in self._policy.categories
        ]

    def _note_state(self, name: str, state: str, more: Mapping[str, object]) -> None:
        """Have a source's new state told after the windows that came before it."""
        self._inbox.note(name, partial(self._tell_state, name, state, more))

    def _tell_state(self, name: str, state: str, more: Mapping[str, object]) -> None:
        if state == "ended":
            self._close_spans(name)
        self._events.tell("source", source=name, state=state, **more)

    def _about(self) -> Mapping[str, Any]:
        runtime = self._analyzer.streams.runtime
        return {
            "phar_version": __version__,
            "policy": policy_document(self._policy),
            "profile": describe(
                self._analyzer.profile,
                backend=runtime["backend"],
                device=runtime["device"],
                precision=runtime["precision"],
            ),
            "sources": [
                {"name": state.source.name, "every_s": state.source.every_s, "listen": state.source.listen}
                for state in self._states.values()
            ],
        }
