"""A real person detector agrees with what a person sees in real clips."""

from pathlib import Path

import numpy as np
import pytest

from phar.media import MediaReader
from phar.openmmlab import Detector
from phar.profile import RESOURCES

TABLE = Path(__file__).with_name("presence.csv")
CONFIG = RESOURCES / "configs/person/rtmdet_nano_320-8xb32_person.py"
SCORE_THR = 0.45


def table() -> dict[str, dict[float, bool]]:
    rows = [line.split(",") for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    return {
        clip: {float(t): seen == "1" for t, seen in (entry.split("=") for entry in entries.split())}
        for clip, entries in rows
    }


def frames_at(path: Path, times_s: list[float]) -> list[np.ndarray]:
    """Return the frame shown at each time, as the reader hands it out."""

    def wanted(num_frames, fps, window, frame_times_s):
        inside = [t for t in times_s if window.start_s <= t < window.end_s]
        return {max(0, int(np.searchsorted(frame_times_s, t + 1e-6)) - 1) for t in inside}

    frames = []
    with MediaReader(path, 7, 7, wanted) as reader:
        for media in reader:
            frames += [media.frames[i].to_rgb() for i in sorted(media.frames)]
    return frames


@pytest.mark.slow
def test_the_real_detector_sees_persons_where_people_do(shared_media):
    detector = Detector.load(
        CONFIG, shared_media / "weights/derived/rtmdet_nano_person_from_onnx.pth", backend="torch"
    )
    agreed, wrong = 0, []
    for clip, moments in table().items():
        frames = frames_at(shared_media / "people" / clip, list(moments))
        assert len(frames) == len(moments)
        for (time_s, seen), boxes in zip(moments.items(), detector.predict(frames), strict=True):
            if (boxes[:, 4] >= SCORE_THR).any() == seen:
                agreed += 1
            else:
                wrong.append((clip, time_s, seen))
    assert len(table()) >= 10
    assert agreed / (agreed + len(wrong)) >= 0.95, wrong
