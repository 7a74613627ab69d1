"""A frame that follows persons: in view, inside the picture, and never jumpy."""

from __future__ import annotations

import numpy as np
import pytest

from phar.schema import Poses
from phar.timeline import follow, frame_size


@pytest.mark.parametrize(
    ("picture", "aspect", "expected"),
    [
        ((1920, 1080), (9, 16), (606, 1080)),
        ((1280, 720), (1, 1), (720, 720)),
        ((1080, 1920), (16, 9), (1080, 606)),
        ((1080, 1920), (9, 16), (1080, 1920)),
        ((426, 240), (9, 16), (134, 240)),
    ],
)
def test_frame_sizes(picture, aspect, expected) -> None:
    assert frame_size(*picture, aspect) == expected


def seen(boxes_of: dict[float, list[tuple[float, float, float, float]]]) -> Poses:
    times = sorted(boxes_of)
    index = [place for place, time in enumerate(times) for _ in boxes_of[time]]
    boxes = [(*box, 0.9) for time in times for box in boxes_of[time]]
    return Poses(
        np.array(times),
        np.array(index, np.int64),
        np.array(boxes, np.float32).reshape(-1, 5),
        np.zeros((len(boxes), 17, 3), np.float32),
    )


def person(x: float, wide: float = 200.0) -> tuple[float, float, float, float]:
    return (x - wide / 2, 200.0, x + wide / 2, 900.0)


PICTURE, NARROW = (1920, 1080), (9, 16)


def path(boxes_of, start_s: float = 0.0, end_s: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    framing = follow(seen(boxes_of), start_s, end_s, PICTURE, NARROW)
    assert (framing.width_px, framing.height_px) == (606, 1080)
    x, y = framing.centres_px.T
    assert x.min() >= 303 and x.max() <= 1920 - 303
    assert (y == 540).all()
    # At most a third of its own width in a second, and no sudden start or stop.
    speed = np.diff(x) / np.diff(framing.times_s)
    assert np.abs(speed).max() <= 0.35 * 606 + 1e-6
    return framing.times_s, x


def test_a_person_who_walks_is_followed() -> None:
    times, x = path({t / 5: [person(500 + 80 * t / 5)] for t in range(51)})
    away = np.abs(x - (500 + 80 * times))[(times > 2) & (times < 8)]
    assert away.max() < 20


def test_a_person_who_stands_is_framed_and_the_frame_stands_still() -> None:
    rng = np.random.default_rng(0)
    _, x = path({t / 5: [person(700 + float(rng.normal(0, 8)))] for t in range(51)})
    assert np.abs(x - 700).max() < 8
    assert np.abs(np.diff(x)).max() < 1


def test_single_wrong_boxes_are_ignored() -> None:
    boxes = {t / 5: [person(700)] for t in range(51)}
    boxes[4.0] = [person(1700)]
    _, x = path(boxes)
    assert np.abs(x - 700).max() < 5


def test_persons_who_fit_are_kept_in_view_together() -> None:
    _, x = path({t / 5: [person(800), person(1100)] for t in range(51)})
    assert x == pytest.approx(np.full(len(x), 950.0))


def test_of_persons_far_apart_the_larger_is_kept_all_the_time() -> None:
    # Which of them is larger changes all the time; going back and forth would show neither.
    boxes = {t / 5: [person(400, 210 if t % 2 else 190), person(1500, 205)] for t in range(51)}
    _, x = path(boxes)
    assert np.abs(x - x[0]).max() < 2
    assert min(abs(x[0] - 400), abs(x[0] - 1500)) < 5


def test_the_frame_stays_inside_the_picture() -> None:
    _, x = path({t / 5: [person(60)] for t in range(51)})
    assert (x == 303).all()


def test_where_nobody_is_seen_it_goes_on_slowly() -> None:
    _, x = path({0.0: [person(600)], 0.2: [person(600)], 9.8: [person(1200)], 10.0: [person(1200)]})
    assert x[[0, 50, -1]] == pytest.approx([600, 900, 1200], abs=15)
    assert np.diff(x).max() < 8
    _, nobody = path({30.0: [person(600)]})
    assert (nobody == 960).all()


def test_between_samples_it_moves_on_a_straight_line() -> None:
    framing = follow(seen({t / 5: [person(500 + 80 * t / 5)] for t in range(51)}), 0, 10, PICTURE, NARROW)
    before, after = framing.centre_at(5.0)[0], framing.centre_at(5.1)[0]
    assert framing.centre_at(5.05)[0] == pytest.approx((before + after) / 2)
