import numpy as np
import pytest

from phar.schema import NONE
from phar.synth import load_world
from phar.synth.motion import tap_times
from phar.synth.sound import RATE_HZ


@pytest.fixture(scope="module")
def world():
    return load_world(1)


@pytest.mark.parametrize("label", ["knock", "sing", "march"])
def test_any_span_is_a_cut_of_the_whole(world, label):
    clip = next(c for i in range(9) if (c := world.clip(41, i, label=label)).has_audio)
    whole = clip.audio()
    assert whole.dtype == np.float32
    assert len(whole) == round(clip.duration_s * RATE_HZ)
    fresh = world.clip(41, clip.index, label=label)
    assert np.array_equal(fresh.audio(1.5, 3.25), whole[24000:52000])
    assert np.abs(whole).max() < 0.981


def test_long_videos_give_spans_across_their_cuts(world):
    video = next(v for i in range(9) if (v := world.video(42, i)).has_audio)
    cut = video.segments[0].end_s
    piece = video.audio(cut - 1, cut + 1)
    assert len(piece) == 2 * RATE_HZ
    start = round((cut - 1) * RATE_HZ)
    assert np.array_equal(piece, video.audio()[start : start + 2 * RATE_HZ])


def test_other_rates_hold_the_same_sound(world):
    clip = world.clip(43, 0, label="ring")
    slow, fast = clip.audio(0, 4), clip.audio(0, 4, 48000)
    assert len(fast) == 4 * 48000
    assert np.corrcoef(slow[100:-100], fast[::3][100:-100])[0, 1] > 0.99


def test_past_the_end_there_is_silence(world):
    clip = world.clip(43, 0, label="ring")
    piece = clip.audio(clip.duration_s - 0.5, clip.duration_s + 1)
    assert len(piece) == pytest.approx(1.5 * RATE_HZ, abs=1)
    assert not piece[-RATE_HZ + 10 :].any()


def test_labels_told_by_sound_always_have_a_track_and_others_sometimes_not(world):
    for label in world.audio_labels:
        assert all(world.clip(44, i, label=label).has_audio for i in range(40))
    quiet = [world.clip(44, i, label="wave") for i in range(40)]
    assert 0 < sum(not clip.has_audio for clip in quiet) < 20
    assert next(clip for clip in quiet if not clip.has_audio).audio(0, 1) is None


def test_knocks_are_heard_when_the_hand_touches(world):
    for index in range(4):
        clip = world.clip(45, index, label="knock")
        person = clip.scene(0).people[0]
        samples = clip.audio()
        taps = [
            t for burst in tap_times(0.2, clip.duration_s - 0.4, person.tempo_hz, person.style) for t in burst
        ]
        assert len(taps) >= 4
        loud = [np.abs(samples[int((t - 0.01) * RATE_HZ) : int((t + 0.04) * RATE_HZ)]).max() for t in taps]
        assert min(loud) > 3 * np.median(np.abs(samples))


def test_voices_are_louder_than_the_background_elsewhere(world):
    def level(label):
        tracks = [world.clip(46, i, label=label).audio(0, 5) for i in range(6)]
        return np.median([20 * np.log10(np.sqrt((t**2).mean()) + 1e-9) for t in tracks if t is not None])

    quiet = level("box")
    for label in world.audio_labels:
        assert level(label) > quiet + 8


def test_singing_holds_its_pitch_and_talking_does_not(world):
    def held(label, index):
        samples = world.clip(47, index, label=label).audio(0.5, 6.5)
        frames = samples[: len(samples) // 1600 * 1600].reshape(-1, 1600) * np.hanning(1600)
        power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
        # Share of a frame's energy in its three strongest bins: high for steady harmonics.
        return np.median(np.sort(power, axis=1)[:, -3:].sum(1) / power.sum(1))

    sung, spoken = ([held(label, i) for i in range(6)] for label in ("sing", "talk"))
    assert np.median(sung) > np.median(spoken) + 0.1


def test_none_is_sometimes_loud(world):
    levels = []
    for index in range(24):
        samples = world.clip(48, index, label=NONE).audio(0, 3)
        if samples is not None:
            levels.append(20 * np.log10(np.sqrt((samples**2).mean()) + 1e-9))
    assert max(levels) > -32
    assert min(levels) < -40
