"""Clips: any instant's picture, sound and truth, each computed alone from the seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import soxr
from numpy.typing import NDArray

from phar.schema import FloatArray
from phar.synth import sound
from phar.synth.backdrop import paint_backdrop, paint_screen
from phar.synth.canvas import Canvas, Pixels, View
from phar.synth.drawing import PARTS_OF_JOINT, draw_person
from phar.synth.figure import HEAD, HEAD_RADIUS, joints
from phar.synth.motion import MOTIONS, Array
from phar.synth.props import draw_place_behind, draw_place_front, draw_tool, draw_trail, place_box
from phar.synth.scene import Person, Scene, Shot, build_scene, build_sound

if TYPE_CHECKING:
    from phar.synth.world import World

#: Pictures smaller than this are drawn at a multiple of their size and averaged down.
_MIN_SIDE_PX = 190
#: The backdrop is this much larger than the picture, so that the camera may move.
_MARGIN = 1.3
#: A person of whom less than this share of (height/2)^2 is visible is not in the truth.
_MIN_VISIBLE = 0.03
_HIDDEN = 255


@dataclass(frozen=True)
class TrueSegment:
    """One label over one half-open span of a clip."""

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Truth:
    """What is in one picture."""

    label: str
    boxes: FloatArray
    """(n, 4) x1, y1, x2, y2 in pixels: the visible extent of each person."""
    keypoints: FloatArray
    """(n, 17, 3) x, y in pixels and COCO's flag: 0 outside the picture, 1 hidden, 2 visible."""


class Clip:
    """One rendered video, short or long; every answer is a pure function of world, seed and index."""

    def __init__(
        self,
        world: World,
        seed: int,
        index: int,
        kind: str,
        segments: tuple[TrueSegment, ...],
        picture: dict[str, Any],
        none_kind: str | None = None,
    ) -> None:
        self.world, self.seed, self.index, self.kind = world, seed, index, kind
        self.width_px, self.height_px = (int(v) for v in picture["size"])
        self.fps = Fraction(int(picture["fps"]))
        self.num_frames = max(1, round(segments[-1].end_s * float(self.fps)))
        self.duration_s = float(self.num_frames / self.fps)
        # Whole frames only: the last label ends where the last frame does.
        self.segments = (*segments[:-1], replace(segments[-1], end_s=self.duration_s))
        self.has_audio: bool = picture["has_audio"]
        self.audio_hz: int = picture["audio_hz"]
        self.channels: int = picture["channels"]
        self._background: str = picture["background"]
        self._none_kind = none_kind
        self._scenes: dict[int, Scene] = {}
        self._sounds: dict[int, sound.Samples] = {}
        self._resampled: dict[int, sound.Samples] = {}
        self._backdrops: dict[tuple[int, float, int, int], Pixels] = {}
        self._masks: dict[tuple[int, float, float, int, int], Pixels] = {}

    @property
    def label(self) -> str:
        """The label of the first segment; the only one of a short clip."""
        return self.segments[0].label

    def _draw(self, number: int) -> Any:
        return lambda name: self.world.rng(self.kind, self.seed, self.index, number, name)

    def scene(self, number: int) -> Scene:
        """The scene behind segment `number`."""
        if number not in self._scenes:
            segment = self.segments[number]
            shares = self.world.spec[self.kind]["shots_share"]
            self._scenes[number] = build_scene(
                self.world.spec,
                self._draw(number),
                segment.label,
                segment.end_s - segment.start_s,
                (self.width_px, self.height_px),
                shares,
                self._none_kind,
            )
        return self._scenes[number]

    def _at(self, t: float) -> tuple[int, float]:
        t = min(max(t, 0.0), self.segments[-1].end_s - 1e-6)
        for number, segment in enumerate(self.segments):
            if t < segment.end_s:
                return number, t - segment.start_s
        return len(self.segments) - 1, t - self.segments[-1].start_s

    @cached_property
    def frame_times_s(self) -> NDArray[np.float64]:
        """(num_frames,) presentation times."""
        return np.arange(self.num_frames) / float(self.fps)

    def _target(self, width_px: int | None, height_px: int | None) -> tuple[int, int]:
        if width_px is None and height_px is None:
            return self.width_px, self.height_px
        if width_px is None:
            width_px = max(1, round(self.width_px * (height_px or 0) / self.height_px))
        if height_px is None:
            height_px = max(1, round(self.height_px * width_px / self.width_px))
        return width_px, height_px

    def frame(self, t_s: float, width_px: int | None = None, height_px: int | None = None) -> Pixels:
        """The picture at `t_s`, (H, W, 3) uint8 RGB.

        With one of `width_px` and `height_px` the shape is kept, with both the picture is stretched.
        """
        width, height = self._target(width_px, height_px)
        times = -(-min(_MIN_SIDE_PX, self.height_px, self.width_px) // min(width, height))
        inner = (width * times, height * times)
        number, t = self._at(t_s)
        scene = self.scene(number)
        shot = scene.shot(t)
        if scene.screen is not None:
            # Letters and shapes keep their proportions until the picture is stretched.
            natural = max(1, round(inner[1] * self.width_px / self.height_px))
            image = np.empty((inner[1], natural, 3), np.uint8)
            paint_screen(scene.screen, scene.screen_seed, t, image)
            if natural != inner[0]:
                image = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        else:
            image = self._picture(number, scene, shot, t, inner)
        image = self._develop(image, number, shot, t, t_s, 1.0 if scene.screen is None else 0.25)
        if times > 1:
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return image

    def _picture(self, number: int, scene: Scene, shot: Shot, t: float, inner: tuple[int, int]) -> Pixels:
        width, height = inner
        sx, sy = width / self.width_px, height / self.height_px
        zoom, x, y = shot.camera.at(t)
        size = (round(width * _MARGIN), round(height * _MARGIN))
        key = (number, shot.start_s, *size)
        if key not in self._backdrops:
            if len(self._backdrops) >= 3:
                self._backdrops.pop(next(iter(self._backdrops)))
            self._backdrops[key] = paint_backdrop(shot.backdrop, shot.backdrop_seed, *size)
        # Whole pixels only: a crop and a resize are twice as fast as a warp.
        crop = (min(size[0], round(width / zoom)), min(size[1], round(height / zoom)))
        left = round((size[0] - crop[0]) / 2 - x * self.height_px * sx)
        top = round((size[1] - crop[1]) / 2 - y * self.height_px * sy)
        left, top = min(max(left, 0), size[0] - crop[0]), min(max(top, 0), size[1] - crop[1])
        piece = self._backdrops[key][top : top + crop[1], left : left + crop[0]]
        image: Pixels = cv2.resize(piece, inner, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        if image.base is not None or crop == inner:
            image = image.copy()
        canvas = Canvas(image, (sx, sy))
        posed = list(self._posed(scene, shot, t))
        for person, view, _, _ in posed:
            if person.place is not None:
                draw_place_behind(canvas, person.place, view)
                if person.motion == "sweep":
                    draw_trail(canvas, person.place, view, person.look, person.style, person.tempo_hz, t)
        for person, view, body, mouth in reversed(posed):
            draw_person(canvas, body, person.look, view, mouth)
            if person.place is not None:
                if person.motion == "sweep":
                    draw_tool(canvas, person.place, view, body)
                draw_place_front(canvas, person.place, view)
        for points, colour in self._occlusion(shot, t):
            canvas.polygon(points, colour)
        return image

    def _posed(self, scene: Scene, shot: Shot, t: float) -> list[tuple[Person, View, Array, float]]:
        out = []
        for number, person in enumerate(scene.people):
            limbs = MOTIONS[person.motion](np.array([t]), person.tempo_hz, person.offset_cycles, person.style)
            view = self._moved(shot, shot.views[number], person, t)
            out.append((person, view, joints(limbs, person.look)[0], float(limbs.mouth[0])))
        return out

    def _moved(self, shot: Shot, view: View, person: Person, t: float) -> View:
        zoom, x, y = shot.camera.at(t)
        at_x, at_y = view.ground_px
        if person.motion == "walk":
            direction = 1 if view.yaw > 0 else -1
            along = np.mod(at_x / self.width_px * direction + person.style.walk_speed * t + 0.3, 1.6) - 0.3
            at_x = self.width_px * float(along if direction > 0 else 1 - along)
        middle_x, middle_y = self.width_px / 2, self.height_px / 2
        ground = (
            middle_x + (at_x - middle_x) * zoom + x * self.height_px,
            middle_y + (at_y - middle_y) * zoom + y * self.height_px,
        )
        return View(view.yaw, view.pitch, view.distance, view.height_px * zoom, ground)

    def _occlusion(self, shot: Shot, t: float) -> list[Any]:
        if shot.occluder is None:
            return []
        ground, tall = self.height_px * 0.9, self.height_px * 0.6
        if shot.views:
            ground, tall = shot.views[0].ground_px[1], shot.views[0].height_px
        return shot.occluder.shapes(t - shot.start_s, self.width_px, self.height_px, ground, tall)

    def _develop(
        self, image: Pixels, number: int, shot: Shot, t: float, t_s: float, strength: float
    ) -> Pixels:
        """Lens, light and sensor: blur, gain and colour, vignette, grain."""
        height, width = image.shape[:2]
        sigma = shot.blur * max(width, height) * strength
        if sigma > 0.3:
            image = cv2.GaussianBlur(image, (0, 0), sigma)  # type: ignore[assignment]
        flicker = 1 + shot.flicker * np.sin(2 * np.pi * 0.37 * t)
        key = (number, shot.start_s, strength, width, height)
        if key not in self._masks:
            if len(self._masks) >= 3:
                self._masks.pop(next(iter(self._masks)))
            gain = 128 * (1 + (np.array(shot.gain) - 1) * strength)
            shaded = 1 - shot.vignette * strength * self.world.vignette(width, height)
            self._masks[key] = (shaded[..., None] * gain).astype(np.uint8)
        image = cv2.multiply(image, self._masks[key], scale=flicker / 128)  # type: ignore[assignment]
        lift = shot.lift * strength
        grain = shot.noise * strength * min(1.0, height / self.height_px) / 40
        tile = self.world.grain
        rng = np.random.default_rng([self.seed, self.index, round(t_s * 1000)])
        y, x = (int(rng.integers(size)) for size in (tile.shape[0] - height, tile.shape[1] - width))
        cut = tile[y : y + height, x : x + width]
        return cv2.addWeighted(image, 1 - lift / 255, cut, grain, lift - 128 * grain)  # type: ignore[return-value]

    def keypoints(self, times_s: Any) -> FloatArray:
        """True joints at many instants, hidden or not.

        Returns (T, 2, 17, 2) source pixels, the label's actor first, NaN where there is nobody.
        """
        located = [self._at(float(time)) for time in np.asarray(times_s, float)]
        out = np.full((len(located), 2, 17, 2), np.nan, np.float32)
        for number in sorted({number for number, _ in located}):
            rows = [row for row, (of, _) in enumerate(located) if of == number]
            times = np.array([located[row][1] for row in rows])
            scene = self.scene(number)
            for index, person in enumerate(scene.people):
                limbs = MOTIONS[person.motion](times, person.tempo_hz, person.offset_cycles, person.style)
                for row, t, body in zip(rows, times, joints(limbs, person.look)[:, :17], strict=True):
                    shot = scene.shot(t)
                    view = self._moved(shot, shot.views[index], person, float(t))
                    out[row, index] = view.project(body)[0]
        return out

    def truth(self, t_s: float, width_px: int | None = None, height_px: int | None = None) -> Truth:
        """Label, boxes and keypoints of the picture that `frame` draws at the same instant and size."""
        number, t = self._at(t_s)
        scene = self.scene(number)
        shot = scene.shot(t)
        posed = self._posed(scene, shot, t) if scene.screen is None else []
        boxes, keypoints = [], []
        if posed:
            buffer = np.zeros((self.height_px, self.width_px), np.uint8)
            canvas = Canvas(buffer, (1, 1), smooth=False)
            for person_number in reversed(range(len(posed))):
                person, view, body, mouth = posed[person_number]
                draw_person(canvas, body, person.look, view, mouth, person_number)
            for points, _ in self._occlusion(shot, t):
                canvas.polygon(points, _HIDDEN)
            for person_number, (_, view, body, _) in enumerate(posed):
                found = self._seen(buffer, person_number, view, body)
                if found is not None:
                    boxes.append(found[0])
                    keypoints.append(found[1])
        width, height = self._target(width_px, height_px)
        scale = np.array([width / self.width_px, height / self.height_px])
        out_boxes = np.asarray(boxes, np.float32).reshape(-1, 4) * np.tile(scale, 2)
        out_points = np.asarray(keypoints, np.float32).reshape(-1, 17, 3) * np.r_[scale, 1]
        return Truth(self.segments[number].label, out_boxes.astype(np.float32), out_points.astype(np.float32))

    def _seen(self, buffer: Pixels, number: int, view: View, body: Array) -> tuple[Array, Array] | None:
        first = 1 + number * 16
        mask = cv2.inRange(buffer, first, first + 15)  # type: ignore[call-overload]
        if cv2.countNonZero(mask) < _MIN_VISIBLE * (view.height_px / 2) ** 2:
            return None
        x, y, w, h = cv2.boundingRect(mask)
        px, depth, _ = view.project(body)
        points = np.zeros((17, 3))
        points[:, :2] = px[:17]
        for joint, parts in enumerate(PARTS_OF_JOINT):
            column, row = int(np.floor(px[joint, 0])), int(np.floor(px[joint, 1]))
            if not (0 <= column < self.width_px and 0 <= row < self.height_px):
                continue
            around = set(buffer[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].ravel().tolist())
            visible = any(first + part in around for part in parts)
            # A point on the far side of the head is hidden by the head itself.
            if joint < 5 and depth[joint] - depth[HEAD] < -0.35 * HEAD_RADIUS:
                visible = False
            points[joint, 2] = 2 if visible else 1
        return np.array([x, y, x + w, y + h], float), points

    def places(self, t_s: float) -> list[tuple[str, FloatArray]]:
        """What actions happen at, the label's own first: kind, and box (4,) in source pixels."""
        number, t = self._at(t_s)
        scene = self.scene(number)
        posed = self._posed(scene, scene.shot(t), t) if scene.screen is None else []
        return [
            (person.place.kind, place_box(person.place, view).astype(np.float32))
            for person, view, _, _ in posed
            if person.place is not None
        ]

    def window_label(self, start_s: float, end_s: float) -> tuple[str, float]:
        """The label that covers most of [start_s, end_s) and its share of it (`purity`)."""
        shares: dict[str, float] = {}
        for segment in self.segments:
            overlap = min(end_s, segment.end_s) - max(start_s, segment.start_s)
            if overlap > 0:
                shares[segment.label] = shares.get(segment.label, 0.0) + overlap
        label = max(shares, key=lambda name: shares[name])
        return label, shares[label] / sum(shares.values())

    def audio(
        self, start_s: float = 0.0, end_s: float | None = None, hz: int = sound.RATE_HZ
    ) -> sound.Samples | None:
        """Mono sound of [start_s, end_s) at `hz`, float32 in [-1, 1]; None where the clip has no track."""
        if not self.has_audio:
            return None
        end_s = self.duration_s if end_s is None else end_s
        start, num = round(start_s * hz), round((end_s - start_s) * hz)
        out = np.zeros(num, np.float32)
        if hz != sound.RATE_HZ:
            if hz not in self._resampled:
                whole = self.audio(0.0, self.duration_s)
                self._resampled[hz] = soxr.resample(whole, sound.RATE_HZ, hz).astype(np.float32)
            piece = self._resampled[hz][start : start + num]
            out[: len(piece)] = piece
            return out
        for number, segment in enumerate(self.segments):
            first = round(segment.start_s * hz)
            last = round(segment.end_s * hz)
            a, b = max(first, start), min(last, start + num)
            if a < b:
                samples = self._sound(number)[a - first : b - first]
                out[a - start : a - start + len(samples)] = samples
        return out

    def _sound(self, number: int) -> sound.Samples:
        if number not in self._sounds:
            scene = self.scene(number)
            self._sounds[number] = build_sound(self.world.spec, self._draw(number), scene, self._background)
        return self._sounds[number]

    def truth_record(self) -> dict[str, Any]:
        """What is written beside an mp4: world, seed, index, segments and the picture's measures."""
        return {
            "world": self.world.version,
            "seed": self.seed,
            "index": self.index,
            "kind": self.kind,
            "duration_s": self.duration_s,
            "fps": str(self.fps),
            "width_px": self.width_px,
            "height_px": self.height_px,
            "has_audio": self.has_audio,
            "segments": [{"label": s.label, "start_s": s.start_s, "end_s": s.end_s} for s in self.segments],
        }
