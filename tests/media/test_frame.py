from fractions import Fraction

import av
import numpy as np
import pytest
from clips import HEIGHT_PX, WIDTH_PX, make_clip, number_in, numbered, steady

from phar.media import MediaReader, probe
from phar.media.editing.splicing import thumbnail
from phar.media.frame import Geometry

ONE = 1 << 16

#: What a display matrix (a, b, c, d) does to a picture, written with numpy's own turns.
#: Source: ISO/IEC 14496-12, 6.2.2 (a point (p, q) goes to (a p + c q, b p + d q), y downwards).
TURNS = [
    ((1, 0, 0, 1), lambda p: p),
    ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
    ((-1, 0, 0, 1), np.fliplr),
    ((1, 0, 0, -1), np.flipud),
    ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    ((0, -1, -1, 0), lambda p: np.rot90(p, 2).transpose(1, 0, 2)),
]


@pytest.mark.parametrize(("corner", "turn"), TURNS)
def test_display_matrix_turns_the_picture(corner, turn):
    a, b, c, d = (value * ONE for value in corner)
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    geometry = Geometry.of(7, 5, Fraction(0), (a, b, 0, c, d, 0, 0, 0, 1 << 30))
    expected = turn(picture)
    np.testing.assert_array_equal(geometry.turn(picture), expected)
    assert (geometry.height_px, geometry.width_px) == expected.shape[:2]


@pytest.mark.parametrize(
    ("aspect", "matrix", "size"),
    [
        (Fraction(0), None, (720, 576)),
        (Fraction(1), None, (720, 576)),
        (Fraction(64, 45), None, (1024, 576)),
        (Fraction(1, 2), None, (720, 1152)),
        (Fraction(64, 45), (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30), (576, 1024)),
        # Rounded sizes and damage are no pixel formats.
        (Fraction(640, 639), None, (720, 576)),
        (Fraction(5000, 1), None, (720, 576)),
    ],
)
def test_pixels_become_square(aspect, matrix, size):
    geometry = Geometry.of(720, 576, aspect, matrix)
    assert (geometry.width_px, geometry.height_px) == size


def first(path):
    with MediaReader(path, 1, 1, lambda *_: {0}) as reader:
        return next(iter(reader)).frames[0]


@pytest.mark.parametrize(
    ("rotation", "mirrored", "undo"),
    [
        (0, False, lambda p: p),
        (90, False, lambda p: np.rot90(p, -1)),
        (-90, False, lambda p: np.rot90(p, 1)),
        (180, False, lambda p: np.rot90(p, 2)),
        (0, True, np.fliplr),
        (-90, True, lambda p: np.rot90(np.fliplr(p), 1)),
    ],
)
def test_rotated_files_are_upright(tmp_path, rotation, mirrored, undo):
    path = make_clip(tmp_path / "clip.mp4", steady(180, 60)[:5], rotation=rotation, mirrored=mirrored)
    frame = first(path)
    sideways = rotation % 180 != 0
    assert (frame.width_px, frame.height_px) == ((HEIGHT_PX, WIDTH_PX) if sideways else (WIDTH_PX, HEIGHT_PX))
    stored = undo(frame.to_rgb())
    assert number_in(stored) == 0
    assert np.abs(stored.astype(int) - numbered(0)).mean() < 4
    assert (probe(path).width_px, probe(path).height_px) == (frame.width_px, frame.height_px)


def test_wide_pixels_are_stretched(tmp_path):
    frame = first(make_clip(tmp_path / "clip.mp4", steady(5, 25), pixel_aspect=Fraction(2)))
    assert (frame.width_px, frame.height_px) == (2 * WIDTH_PX, HEIGHT_PX)
    assert frame.to_rgb().shape == (HEIGHT_PX, 2 * WIDTH_PX, 3)


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        ((None, None), (48, 128, 3)),
        ((64, None), (24, 64, 3)),
        ((None, 12), (12, 32, 3)),
        ((31, 17), (17, 31, 3)),
        ((1, None), (1, 1, 3)),
        ((256, 96), (96, 256, 3)),
    ],
)
def test_pictures_come_at_the_size_asked_for(tmp_path, asked, shape):
    picture = first(make_clip(tmp_path / "clip.mp4", steady(3, 25))).to_rgb(*asked)
    assert picture.shape == shape
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


@pytest.mark.parametrize("size_px", [(129, 49), (128, 49), (129, 48)])
def test_odd_sizes_keep_their_last_row_and_column(tmp_path, size_px):
    path = make_clip(
        tmp_path / "clip.mkv",
        steady(3, 25),
        codec="ffv1",
        size_px=size_px,
    )
    frame = first(path)
    assert (frame.width_px, frame.height_px) == size_px
    assert frame.to_rgb().shape == (size_px[1], size_px[0], 3)


@pytest.mark.parametrize("rgb", [(200, 30, 30), (30, 200, 30), (30, 30, 200), (16, 16, 16), (240, 240, 240)])
def test_colours_survive(tmp_path, rgb):
    from phar.media import at_rate, write_video

    picture = np.full((32, 32, 3), rgb, np.uint8)
    write_video(tmp_path / "clip.mp4", at_rate([picture] * 3, 25), 25, crf=5)
    assert np.abs(first(tmp_path / "clip.mp4").to_rgb().mean(axis=(0, 1)) - rgb).max() < 5


@pytest.mark.parametrize(("matrix", "is_known"), [("smpte170m", True), ("ycgco", False), ("ictcp", False)])
def test_colours_coded_in_an_unknown_way_are_no_reason_to_fail(tmp_path, matrix, is_known):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": f"colormatrix={matrix}"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 200, np.uint8), "rgb24")
        picture = picture.reformat(format="yuv420p")
        for packet in (*stream.encode(picture), *stream.encode(None)):
            container.mux(packet)
    with MediaReader(path, 7, 7, lambda n, *_: range(n)) as reader:
        (media,) = reader
    assert media.frames[0].to_rgb().mean() == pytest.approx(200, abs=3)
    told = "video: colours are coded in an unknown way; they are not what they should be"
    assert reader.warnings == (() if is_known else (told,))
    assert thumbnail(media.frames[0].stored).shape == (18, 32)
