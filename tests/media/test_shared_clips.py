import csv
from pathlib import Path

import pytest

from phar import timeline
from phar.media import MediaReader, probe
from phar.schema import MediaError

ROWS = list(csv.DictReader(Path(__file__).with_name("expected.csv").open(encoding="utf-8")))


def read(path):
    with MediaReader(path, 7, 7, lambda n, *_: {0, n // 2, n - 1}, 16000) as reader:
        return list(reader), reader


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"].split("/", 1)[1][-60:])
def test_clip(shared_media, row):
    path = shared_media / row["file"]
    if row["outcome"] == "exit 3":
        with pytest.raises(MediaError) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    windows, reader = read(path)
    video = reader.video
    frame_s = float(row["duration_s"]) / int(row["num_frames"])
    assert video.duration_s == pytest.approx(float(row["duration_s"]), abs=max(0.02, frame_s))
    assert reader.origin_s == pytest.approx(float(row["first_frame_s"]), abs=0.001)
    assert (video.width_px, video.height_px) == (int(row["width_px"]), int(row["height_px"]))
    assert video.has_audio == bool(int(row["has_audio"]))
    assert len(windows) == int(row["num_windows"])
    assert [media.window for media in windows] == timeline.windows(video.duration_s, 7, 7)
    # The packets may promise more frames than a damaged stream yields.
    lost = sum(media.num_frames for media in windows) - int(row["num_frames"])
    assert lost == 0 or (0 < lost <= 2 and reader.warnings)
    for media in windows:
        assert set(media.frames) == {0, media.num_frames // 2, media.num_frames - 1}
        for index, frame in media.frames.items():
            assert abs(frame.time_s - media.frame_times_s[index]) <= 2 * frame_s
        assert (media.audio is not None) == video.has_audio
    picture = windows[0].frames[0].to_rgb(None, 64)
    assert picture.shape == (64, max(1, round(64 * video.width_px / video.height_px)), 3)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["outcome"] == "report"], ids=lambda row: row["file"][-60:]
)
def test_probe_agrees_about_the_picture(shared_media, row):
    video = probe(shared_media / row["file"])
    assert (video.width_px, video.height_px) == (int(row["width_px"]), int(row["height_px"]))
    assert 0 <= video.duration_s < 200


def test_every_clip_has_a_row(shared_media):
    found = {
        path.relative_to(shared_media).as_posix()
        for kind in ("action", "hard", "people")
        for path in (shared_media / kind).rglob("*")
        if path.is_file()
    }
    assert found == {row["file"] for row in ROWS}
