"""Renders the sample video and its truth; the seed is one that no split uses.

python samples/render.py
"""

from pathlib import Path

from phar.synth import load_world, write_clip

SEED = 4_000_000
PLAN = (("knock", 15.5), ("none", 6.0), ("wipe", 13.5), ("sing", 13.0), ("row", 10.0))

if __name__ == "__main__":
    clip = load_world(1).sequence(SEED, 4, PLAN)
    print(
        write_clip(clip, Path(__file__).with_name("five_scenes.mp4")), clip.width_px, clip.height_px, clip.fps
    )
