"""Real clips, odd and broken ones too, cut in the middle: the right length, or one line of refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from phar.media import MediaReader
from phar.media.editing import Edit, edit_video, plan_edit
from phar.schema import MediaError, Video

#: Name in the shared media, and whether packets are copied.
CLIPS = {
    "portrait.MOV": True,
    "bear-vp9.webm": True,
    "rotate-buck-bunny.mp4": True,
    "sample-with-key-frame-index.flv": True,
    "sample_android_slow_motion.mp4": True,
    "sample_rotate_and_reflect.mp4": True,
    "sample_without_stss.mp4": True,
    "bear-vp9-odd-dimensions.webm": True,
    "sample_h264_iframes_only.ts": True,
    "corrupted.mp4": False,
    "testvideo-43.avi": False,
    "pigs_in_a_polka.gif": False,
    "awesome'movie.mov": True,
    "example.avi": False,
}


def length(path: Path) -> Video:
    with MediaReader(path, 60, 60, lambda *_: (), 16000) as reader:
        for _ in reader:
            pass
    return reader.video


@pytest.mark.parametrize("name", CLIPS)
def test_cut_in_the_middle(shared_media: Path, tmp_path: Path, name: str) -> None:
    (source, *_) = sorted(shared_media.rglob(name))
    video = length(source)
    spans = [(0.25 * video.duration_s, 0.5 * video.duration_s)]
    plan = plan_edit(source, Edit(spans), video.duration_s, video.fps)
    warnings = edit_video(plan, tmp_path / "out.mp4", "phar")
    whole = any(line.startswith("the whole video is encoded anew") for line in warnings)
    assert whole is not CLIPS[name]
    cut_s = float(sum(end - start for start, end in plan.spans))
    assert cut_s >= 0.25 * video.duration_s - 0.002
    result = length(tmp_path / "out.mp4")
    # How long the last picture is shown, the container and the decoder do not always agree on.
    assert result.duration_s == pytest.approx(video.duration_s - cut_s, abs=max(0.07, 2 / float(video.fps)))
    assert result.has_audio is video.has_audio
    shape = (video.width_px, video.height_px)
    # Encoded whole, odd sizes grow by one.
    even = tuple(side + side % 2 for side in shape)
    assert (result.width_px, result.height_px) == (even if whole else shape)


@pytest.mark.parametrize(
    "name", ["sample_fragmented_widevine.mp4", "subsample_encrypted_altref.webm", "invalid-bitstream.webm"]
)
def test_what_cannot_be_decoded_is_said(shared_media: Path, tmp_path: Path, name: str) -> None:
    (source, *_) = sorted(shared_media.rglob(name))
    with pytest.raises(MediaError):
        edit_video(plan_edit(source, Edit([(0.2, 0.4)]), 1.0, 25), tmp_path / "out.mp4", "phar")
    assert list(tmp_path.iterdir()) == []
