"""A report made anew from its own stream scores, for another fusion, threshold or label order.

What decides which stream looked at which window, the gates too, needs the models and is not changed here.
"""

from __future__ import annotations

from dataclasses import replace

from phar import timeline
from phar.fusion import fuse
from phar.profile import Profile, describe_decisions
from phar.schema import ProfileError, Report


def recomputed(report: Report, profile: Profile) -> Report:
    """Return the report that `profile` would have given, had it looked with the same nets and gates.

    Fused scores, segments and tags are those of the profile; streams' scores, timing and warnings stay.

    Raises:
        ProfileError: the profile's streams, or their labels, are not the report's.
    """
    vocabularies = {name: spec.labels for name, spec in profile.streams.items()}
    if vocabularies != dict(report.vocabularies):
        raise ProfileError(
            f"profile {profile.name!r} has other streams or stream labels than the report; "
            "analyse the video anew"
        )
    terms = profile.fusing()
    predictions = tuple(fuse(scores=prediction.streams, **terms) for prediction in report.predictions)
    segments = timeline.segments(predictions, profile.labels, profile.segments)
    tags = timeline.tags(segments, [p.window for p in predictions], report.video.duration_s)
    return replace(
        report,
        profile={**report.profile, "name": profile.name, **describe_decisions(profile)},
        labels=profile.labels,
        predictions=predictions,
        timestamps=tuple(segments),
        tags=tuple(tags),
    )
