"""Renders the sample video and its truth; the seed is one that no split uses.

python samples/render.py
"""

from pathlib import Path

from phar.synth import load_world, write_clip

SEED = 4_000_000
PLAN = (("jog", 11.0), ("knock", 9.5), ("none", 6.0), ("wipe", 8.5), ("sing", 10.0), ("box", 8.0))

if __name__ == "__main__":
    clip = load_world(1).sequence(SEED, 2, PLAN)
    print(
        write_clip(clip, Path(__file__).with_name("six_scenes.mp4")), clip.width_px, clip.height_px, clip.fps
    )
