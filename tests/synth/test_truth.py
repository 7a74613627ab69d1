import numpy as np
import pytest

from phar.schema import COCO_KEYPOINTS, NONE
from phar.synth import load_world
from phar.synth.figure import joints
from phar.synth.motion import MOTIONS

NAME = {name: number for number, name in enumerate(COCO_KEYPOINTS)}


@pytest.fixture(scope="module")
def world():
    return load_world(1)


def test_boxes_hold_all_pixels_that_a_person_changes(world):
    checked = 0
    for index in range(40):
        full = world.clip(21, index, label=NONE, none_kind="idle")
        empty = world.clip(21, index, label=NONE, none_kind="empty")
        shot = full.scene(0).shot(3.0)
        place = full.scene(0).people[0].place
        if shot.occluder is not None or shot.blur or place is not None or len(full.scene(0).people) > 1:
            continue
        checked += 1
        changed = np.abs(full.frame(3.0).astype(int) - empty.frame(3.0)).max(-1) > 12
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        seen = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        (box,) = full.truth(3.0).boxes
        assert np.abs(box - seen).max() <= 3
    assert checked >= 5


def test_visible_joints_lie_in_their_box_and_the_picture(world):
    flags = []
    for index in range(39):
        clip = world.clip(22, index)
        truth = clip.truth(2.5)
        assert truth.label == clip.label
        assert truth.boxes.shape == (len(truth.keypoints), 4)
        for box, points in zip(truth.boxes, truth.keypoints, strict=True):
            assert 0 <= box[0] < box[2] <= clip.width_px
            assert 0 <= box[1] < box[3] <= clip.height_px
            seen = points[points[:, 2] == 2]
            assert (seen[:, :2] >= box[:2] - 2).all() and (seen[:, :2] <= box[2:] + 2).all()
            inside = (points[:, :2] >= 0).all(1) & (points[:, :2] < [clip.width_px, clip.height_px]).all(1)
            assert np.array_equal(points[:, 2] == 0, ~inside)
            flags.append(points[:, 2])
    shares = np.bincount(np.concatenate(flags).astype(int), minlength=3) / np.concatenate(flags).size
    assert shares[2] > 0.75
    assert shares[1] > 0.02


def test_truth_scales_with_the_picture(world):
    clip = world.clip(22, 0, label="box")
    native, small = clip.truth(2.0), clip.truth(2.0, clip.width_px // 2, clip.height_px // 2)
    assert np.allclose(small.boxes, native.boxes / 2, atol=0.6)
    assert np.array_equal(small.keypoints[..., 2], native.keypoints[..., 2])


@pytest.mark.parametrize("kind", ["empty", "black", "logo", "bars"])
def test_pictures_without_people_have_empty_truth(world, kind):
    truth = world.clip(3, 1, label=NONE, none_kind=kind).truth(1.0)
    assert truth.boxes.shape == (0, 4)
    assert truth.keypoints.shape == (0, 17, 3)


def test_an_occluder_hides_joints_and_shrinks_the_box(world):
    hidden = 0
    for index in range(60):
        clip = world.clip(23, index, label="sing")
        shot = clip.scene(0).shot(1.0)
        if shot.occluder is None or shot.occluder.kind != 1 or len(clip.scene(0).people) > 1:
            continue
        truth = clip.truth(1.0)
        ankles = truth.keypoints[0, [NAME["left_ankle"], NAME["right_ankle"]]]
        table = clip.scene(0).shot(1.0).occluder
        covered = np.abs(ankles[:, 0] / clip.width_px - table.x) < 0.24
        assert (ankles[covered, 2] < 2).all()
        hidden += int(covered.sum())
    assert hidden > 0


def test_left_is_left_and_noses_show_from_the_front_only(world):
    fronts = backs = 0
    for index in range(120):
        clip = world.clip(24, index, label="march")
        view = clip.scene(0).shot(1.0).views[0]
        points = clip.keypoints([1.0])[0, 0]
        apart = points[NAME["left_shoulder"], 0] - points[NAME["right_shoulder"], 0]
        truth = clip.truth(1.0)
        if abs(view.yaw) < 0.9:
            fronts += 1
            assert apart > 0
        elif np.cos(view.yaw) < -0.8:
            backs += 1
            assert apart < 0
            if len(clip.scene(0).people) == 1 and len(truth.keypoints):
                assert truth.keypoints[0, NAME["nose"], 2] < 2
    assert fronts > 20
    assert backs > 0


@pytest.mark.parametrize("motion", sorted(MOTIONS))
def test_bones_keep_their_length(world, motion):
    person = world.clip(25, 0, label="march").scene(0).people[0]
    times = np.linspace(0, 7, 80)
    body = joints(MOTIONS[motion](times, 1.0, 0.5, person.style), person.look)
    bones = [(5, 7, 0.165 * person.look.arms), (7, 9, 0.150 * person.look.arms)]
    bones += [(11, 13, 0.236 * person.look.legs), (13, 15, 0.236 * person.look.legs)]
    for first, second, length in bones:
        for side in (0, 1):
            measured = np.linalg.norm(body[:, first + side] - body[:, second + side], axis=-1)
            assert np.allclose(measured, length, rtol=1e-6)
    assert body[:, 15:17, 1].min() > -0.02
    assert 0.87 < body[:, :5, 1].mean() < 1.02


@pytest.mark.parametrize(
    "label, joint, axis",
    [("march", 15, 1), ("jog", 15, 1), ("wave", None, 0), ("stretch", None, 0), ("box", 9, 2)],
)
def test_bodies_move_at_the_tempo_of_the_table(world, label, joint, axis):
    low, high = world.spec["actions"][label]["tempo_hz"]
    for index in range(6):
        person = world.clip(26, index, label=label).scene(0).people[0]
        times = np.arange(0, 40, 1 / 20)
        limbs = MOTIONS[person.motion](times, person.tempo_hz, person.offset_cycles, person.style)
        acting = joint if joint is not None else 9 + person.style.side
        series = joints(limbs, person.look)[:, acting, axis]
        power = np.abs(np.fft.rfft(series - series.mean())) ** 2
        peak = np.fft.rfftfreq(len(times), 1 / 20)[power.argmax()]
        assert low - 0.04 <= peak <= high + 0.04


def test_boxing_arms_alternate_and_rowing_arms_go_together(world):
    times = np.linspace(0, 7, 48)
    for label, sign in (("box", -1), ("row", 1)):
        for index in range(6):
            person = world.clip(27, index, label=label).scene(0).people[0]
            limbs = MOTIONS[person.motion](times, person.tempo_hz, person.offset_cycles, person.style)
            reach = limbs.wrists[:, :, 2]
            assert sign * np.corrcoef(reach.T)[0, 1] > 0.9


def test_keypoints_of_many_instants_are_those_of_the_truth(world):
    clip = world.clip(28, 0, label="wave")
    many = clip.keypoints([0.5, 3.0])
    for row, time_s in enumerate((0.5, 3.0)):
        truth = clip.truth(time_s).keypoints
        assert np.allclose(many[row, : len(truth), :, :], truth[..., :2], atol=1e-3)
