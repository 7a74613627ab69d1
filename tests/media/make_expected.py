"""Measure the shared clips with the ffprobe command and write expected.csv beside this file.

Run by hand where ffprobe is installed: python tests/media/make_expected.py MEDIA_FOLDER.
phar and its tests need no ffprobe; they compare with the stored table. The frames
are counted as ffprobe decodes them, so a newer libav may know better; NOTES says
where it does, and those rows come from the packets instead.
"""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

KINDS = ("action", "hard", "people")
COLUMNS = (
    "file",
    "outcome",
    "first_frame_s",
    "duration_s",
    "num_frames",
    "num_windows",
    "width_px",
    "height_px",
    "has_audio",
    "note",
)
WINDOW_S = 7

#: Files whose row cannot be what ffprobe 5.1 decodes, and why.
NOTES = {
    "sample_vvc.mp4": "H.266: ffprobe 5.1 has no decoder; counted by packets",
}
PACKETS_ONLY = frozenset(NOTES)


def ffprobe(path: Path, *options: str) -> dict:
    """Run ffprobe and return its JSON; empty where it fails."""
    command = ["ffprobe", "-v", "quiet", "-of", "json", *options, f"file:{path}"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    return json.loads(done.stdout or b"{}")


def measure(path: Path) -> dict[str, object]:
    """One row of the table for one file."""
    streams = ffprobe(path, "-show_streams").get("streams", [])
    videos = [s for s in streams if s.get("codec_type") == "video" and not s["disposition"]["attached_pic"]]
    row: dict[str, object] = {"outcome": "exit 3", "note": NOTES.get(path.name, "")}
    if not videos:
        return row
    video = videos[0]
    rate = Fraction(1, 25)
    for key in ("avg_frame_rate", "r_frame_rate"):
        top, bottom = (int(part) for part in video[key].split("/"))
        if top and bottom:
            rate = Fraction(bottom, top)
            break
    times, length = times_of(path, rate)
    if not times:
        return row
    if length < rate / 2 and "duration" in video:
        # Some recorders write one tick per sample; the end of the track is then the better word.
        length = max(length, float(video.get("start_time", 0)) + float(video["duration"]) - times[-1])
    duration_s = times[-1] - times[0] + length
    if path.suffix.lower() == ".avi":
        # AVI stores decoding times only; ffprobe adds the decoder's delay to them.
        times[0] = 0.0
    width, height = upright_size(video)
    return row | {
        "outcome": "report",
        "first_frame_s": round(times[0], 6),
        "duration_s": round(duration_s, 6),
        "num_frames": len(times),
        "num_windows": max(1, math.ceil(round(duration_s, 4) / WINDOW_S)),
        "width_px": width,
        "height_px": height,
        "has_audio": int(has_sound(path)),
    }


def times_of(path: Path, frame_s: Fraction) -> tuple[list[float], float]:
    """Presentation times of the frames, and how long the last one is shown."""
    if path.name in PACKETS_ONLY:
        listed = ffprobe(path, "-select_streams", "v:0", "-show_packets").get("packets", [])
        found = sorted((float(p["pts_time"]), float(p["duration_time"])) for p in listed)
        return [time for time, _ in found], found[-1][1] if found else 0.0
    listed = ffprobe(path, "-select_streams", "v:0", "-show_frames").get("frames", [])
    times: list[float] = []
    length = float(frame_s)
    for frame in listed:
        if frame.get("media_type") != "video":
            continue
        time = frame.get("best_effort_timestamp_time")
        times.append(float(time) if time is not None else times[-1] + float(frame_s))
        length = float(frame.get("pkt_duration_time") or frame.get("duration_time") or frame_s)
    return times, length


def upright_size(video: dict) -> tuple[int, int]:
    """Size after rotation, with square pixels; aspects within 1 % of square count as square."""
    width, height = video["width"], video["height"]
    aspect = video.get("sample_aspect_ratio", "1:1")
    top, bottom = (int(part) for part in aspect.split(":")) if aspect != "0:1" else (1, 1)
    if abs(top / bottom - 1) > 0.01:
        if top > bottom:
            width = round(width * top / bottom)
        else:
            height = round(height * bottom / top)
    angles = [data["rotation"] for data in video.get("side_data_list", []) if "rotation" in data]
    return (height, width) if angles and angles[0] % 180 else (width, height)


def has_sound(path: Path) -> bool:
    """Whether any audio frame can be decoded."""
    listed = ffprobe(path, "-select_streams", "a:0", "-show_entries", "frame=nb_samples")
    return any("nb_samples" in frame for frame in listed.get("frames", []))


def main(folder: Path) -> None:
    """Write the table."""
    files = sorted(path for kind in KINDS for path in (folder / kind).rglob("*") if path.is_file())
    target = Path(__file__).with_name("expected.csv")
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for path in files:
            writer.writerow({"file": path.relative_to(folder).as_posix(), **measure(path)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
