"""One span of one label: who is there, how they move, what stands around, shot by shot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from phar.schema import NONE
from phar.synth import sound
from phar.synth.canvas import View
from phar.synth.figure import Look
from phar.synth.motion import Style, tap_times
from phar.synth.props import Occluder, Place

#: What a `none` span shows instead of a scene with people.
SCREENS = ("black", "white", "logo", "credits", "noise", "bars")
Draw = Callable[[str], np.random.Generator]


@dataclass(frozen=True)
class Person:
    """One person of a scene and what they do."""

    look: Look
    style: Style
    motion: str
    tempo_hz: float
    offset_cycles: float
    place: Place | None


@dataclass(frozen=True)
class Camera:
    """Camera motion of one shot, in shares of the picture."""

    zoom: float
    pan: tuple[float, float]
    shake: float
    phases: tuple[float, float, float, float]

    def at(self, t: float) -> tuple[float, float, float]:
        """Zoom factor and offsets (shares of the height) `t` seconds into the shot."""
        p = 2 * np.pi * np.asarray(self.phases)
        zoom = 1 + self.zoom * np.sin(0.45 * t + p[0])
        x = self.pan[0] * np.sin(0.5 * t + p[1]) + self.shake * (
            np.sin(21 * t + p[2]) + np.sin(34.7 * t + p[3])
        )
        y = self.pan[1] * np.sin(0.4 * t + p[2]) + self.shake * (
            np.sin(24 * t + p[1]) + np.sin(38.1 * t + p[0])
        )
        return float(zoom), float(x), float(y)


@dataclass(frozen=True)
class Shot:
    """A stretch of a span seen by one camera in front of one backdrop."""

    start_s: float
    end_s: float
    views: tuple[View, ...]
    """One per person."""
    camera: Camera
    backdrop: str
    backdrop_seed: list[int]
    occluder: Occluder | None
    gain: tuple[float, float, float]
    lift: float
    vignette: float
    flicker: float
    noise: float
    blur: float


@dataclass(frozen=True)
class Scene:
    """Everything drawn for one span; times are seconds into the span."""

    label: str
    duration_s: float
    people: tuple[Person, ...]
    shots: tuple[Shot, ...]
    screen: str | None
    screen_seed: list[int]
    empty: bool

    def shot(self, t: float) -> Shot:
        """The shot seen at `t`."""
        for shot in self.shots:
            if t < shot.end_s:
                return shot
        return self.shots[-1]


def _pick(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    return str(rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))


def build_scene(
    spec: Mapping[str, Any],
    draw: Draw,
    label: str,
    duration_s: float,
    size: tuple[int, int],
    shots_share: list[float],
    none_kind: str | None = None,
) -> Scene:
    """Draw a scene. No draw depends on the label, so two labels of one pair get one scene."""
    rng = draw("people")
    people_spec = spec["people"]
    looks = [Look.draw(draw("look0"), people_spec), Look.draw(draw("look1"), people_spec)]
    styles = [Style.draw(draw("style0"), spec["motion"]), Style.draw(draw("style1"), spec["motion"])]
    second, same, place_none = rng.uniform(size=3)
    kind_rng = draw("none")
    kind = none_kind or _pick(kind_rng, spec["none_shares"])
    place_kinds = sorted({a["place"] for a in spec["actions"].values() if "place" in a})
    none_place = str(kind_rng.choice(place_kinds)) if place_none < spec["none_place_share"] else None
    people: list[Person] = []
    if label == NONE:
        if kind in ("idle", "shift", "walk"):
            place = Place.draw(none_place, styles[0].side, draw("place")) if none_place else None
            people.append(Person(looks[0], styles[0], kind, 0.0, 0.0, None if kind == "walk" else place))
    else:
        action = spec["actions"][label]
        place = Place.draw(action["place"], styles[0].side, draw("place")) if "place" in action else None
        people.append(_doer(looks[0], styles[0], action, place))
    if people and second < people_spec["second_share"]:
        if label != NONE and people[0].place is None and same < people_spec["second_same_action_share"]:
            people.append(_doer(looks[1], styles[1], spec["actions"][label], None))
        else:
            people.append(Person(looks[1], styles[1], "idle" if same < 0.8 else "shift", 0.0, 0.0, None))
    screen = kind if label == NONE and kind in SCREENS else None
    cut_rng = draw("cuts")
    num_shots = 1 + int(cut_rng.choice(len(shots_share), p=shots_share))
    cuts = (np.arange(num_shots + 1) + np.r_[0, cut_rng.uniform(-0.25, 0.25, num_shots - 1), 0]) / num_shots
    shots = tuple(
        _shot(spec, _numbered(draw, number), people, size, a * duration_s, b * duration_s)
        for number, (a, b) in enumerate(pairwise(cuts))
    )
    seed = [int(v) for v in draw("screen").integers(0, 2**31, 2)]
    return Scene(label, duration_s, tuple(people), shots, screen, seed, not people and screen is None)


def _numbered(draw: Draw, number: int) -> Draw:
    return lambda name: draw(f"{name}{number}")


def _doer(look: Look, style: Style, action: Mapping[str, Any], place: Place | None) -> Person:
    low, high = action["tempo_hz"]
    tempo_hz = low + (high - low) * style.tempo
    return Person(look, style, action["motion"], tempo_hz, action["offset_cycles"], place)


def _shot(
    spec: Mapping[str, Any],
    draw: Draw,
    people: list[Person],
    size: tuple[int, int],
    start_s: float,
    end_s: float,
) -> Shot:
    width, height = size
    camera, picture, rng = spec["camera"], spec["picture"], draw("shot")
    share = float(rng.uniform(*camera["person_height"]))
    height_px = min(share * height, 1.15 * width)
    lowest = max(0.5 + 0.5 * height_px / height, height_px / height + 0.11)
    ground_px = height * float(rng.uniform(lowest - 0.01, max(lowest, min(0.97, lowest + 0.08))))
    yaw = np.deg2rad(rng.uniform(*camera[_pick(rng, camera["yaw_share"]) + "_deg"]))
    place_yaw = np.deg2rad(rng.uniform(*camera["place_yaw_deg"]))
    x, flip = float(rng.uniform(0.4, 0.6)), 1 if rng.uniform() < 0.5 else -1
    pitch, distance = (
        float(np.deg2rad(rng.uniform(*camera["pitch_deg"]))),
        float(rng.uniform(*camera["distance"])),
    )
    apart, smaller, other_yaw = (
        float(rng.uniform(0.19, 0.28)),
        float(rng.uniform(0.88, 1.0)),
        rng.uniform(-0.9, 0.9),
    )
    views = []
    for number, person in enumerate(people):
        at, tall, turn = x, height_px, float(yaw)
        if len(people) > 1:
            at = 0.5 - flip * apart * (1 if number == 0 else -1)
        if person.place is not None and person.place.kind != "microphone":
            # The other one stands on the far side of the actor, clear of the place.
            sign = 1 if person.place.side == 0 else -1
            turn, flip = float(place_yaw) * sign, -sign
            at = 0.5 + sign * 0.04 if len(people) > 1 else 0.5 - sign * (abs(x - 0.5) + 0.05)
        elif number == 1 and people[0].place is not None and people[0].place.kind != "microphone":
            at = 0.5 + flip * (apart + 0.08)
        if person.motion == "walk":
            turn = flip * 1.25 + 0.3 * float(other_yaw)
        if number == 1:
            tall, turn = height_px * smaller, float(other_yaw)
        base = ground_px - 0.1 * (height_px - tall)
        views.append(View(turn, pitch, distance, tall, (at * width, base)))
    cam_rng = draw("camera")
    shaky = cam_rng.uniform() < camera["shake_share"]
    shake = float(cam_rng.uniform(*camera["shake"]))
    motion = Camera(
        zoom=float(cam_rng.uniform(*camera["zoom_drift"])),
        pan=(float(cam_rng.uniform(*camera["pan"])), float(cam_rng.uniform(*camera["pan"]))),
        shake=shake if shaky else 0.0,
        phases=tuple(float(v) for v in cam_rng.uniform(size=4)),  # type: ignore[arg-type]
    )
    light = draw("light")
    gain, warmth = light.uniform(*picture["gain"]), light.uniform(*picture["warmth"])
    occluder = Occluder.draw(draw("occluder"))
    blur = float(light.uniform(*picture["blur"])) if light.uniform() < picture["blur_share"] else 0.0
    return Shot(
        start_s=start_s,
        end_s=end_s,
        views=tuple(views),
        camera=motion,
        backdrop=str(rng.choice(camera["backdrops"])),
        backdrop_seed=[int(v) for v in draw("backdrop").integers(0, 2**31, 2)],
        occluder=occluder if light.uniform() < spec["people"]["occluder_share"] else None,
        gain=(float(gain * (1 + warmth)), float(gain), float(gain * (1 - warmth))),
        lift=float(light.uniform(*picture["lift"])),
        vignette=float(light.uniform(*picture["vignette"])),
        flicker=float(light.uniform(*picture["flicker"])),
        noise=float(light.uniform(*picture["noise"])),
        blur=blur,
    )


def build_sound(spec: Mapping[str, Any], draw: Draw, scene: Scene, background: str) -> sound.Samples:
    """The sound of a scene: (duration_s * sound.RATE_HZ,) float32."""
    levels, rng = spec["sound"], draw("sound")
    level, snr = float(rng.uniform(*levels["level_dbfs"])), float(rng.uniform(*levels["snr_db"]))
    noise_level = float(rng.uniform(*levels["background_dbfs"]))
    odd, odd_level, musical = rng.uniform(), float(rng.uniform(*levels["distractor_dbfs"])), rng.uniform()
    noise = sound.background(background, scene.duration_s, draw("noise"))
    voice_name = spec["actions"].get(scene.label, {}).get("sound")
    if voice_name:
        voice = sound.levelled(_voice(voice_name, scene, draw("voice")), level)
        total = voice + sound.levelled(noise, level - snr)
    else:
        total = sound.levelled(noise, noise_level)
        if scene.screen == "noise":
            total = sound.levelled(draw("hiss").normal(0, 1, len(noise)), level - 8)
        if scene.label == NONE and musical < levels["none_music_share"]:
            total = total + sound.levelled(sound.music(scene.duration_s, draw("music")), level - 6)
        if odd < levels["distractor_share"]:
            name = str(draw("odd").choice(["knock", "ring", "sing", "talk"]))
            total = total + sound.levelled(_voice(name, scene, draw("voice")), odd_level)
    return np.clip(total, -0.98, 0.98).astype(np.float32)


def _voice(name: str, scene: Scene, rng: np.random.Generator) -> Any:
    if name == "sing":
        return sound.sing(scene.duration_s, rng)
    if name == "talk":
        return sound.talk(scene.duration_s, rng)
    if scene.people:
        person = scene.people[0]
        tempo = person.tempo_hz if person.motion == "tap" else 4.0
        bursts = tap_times(0.0, scene.duration_s, tempo, person.style)
    else:
        bursts = [[at, at + 0.25] for at in np.arange(0.5, scene.duration_s, 2.5)]
    return (sound.knock if name == "knock" else sound.ring)(scene.duration_s, bursts, rng)
