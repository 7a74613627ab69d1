"""How long the report page of a long video takes to open.

    python benchmarks/page_3h.py [--hours 3] [--stride 1] [--repeats 7]

makes a report of made-up scores, 17 labels in three streams, writes its page and opens it in headless
Chromium; prints the page's size, the median seconds from opening it to its first picture with everything
drawn, and those from moving the threshold to the next picture.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from phar import timeline
from phar.export.writers import WRITERS
from phar.fusion import fuse
from phar.profile import load_profile
from phar.schema import Report, StreamScore, Video

_NEXT_PICTURE = (
    "const done = arguments[arguments.length - 1];"
    "requestAnimationFrame(() => requestAnimationFrame(() => done()))"
)
_MOVE_THRESHOLD = (
    "const slider = document.querySelector('#all-threshold'); slider.value = arguments[0];"
    "slider.dispatchEvent(new Event('input', {bubbles: true}));"
)


def made_up(hours: float, stride_s: float) -> Report:
    """Return a report of `phar17`'s labels whose actions last about a minute."""
    profile = load_profile("phar17")
    rng = np.random.default_rng(0)
    cover = timeline.windows(hours * 3600, profile.window_s, stride_s)
    vocabularies = {name: spec.labels for name, spec in profile.streams.items()}
    weights = {name: spec.weight for name, spec in profile.streams.items()}
    predictions = []
    for window in cover:
        action = int(np.random.default_rng(int(window.start_s // 60)).integers(len(profile.labels)))
        scores = {}
        for name, labels in vocabularies.items():
            if name != "rgb" and rng.uniform() < 0.5:
                scores[name] = StreamScore(name, window, silent="not proposed by rgb")
                continue
            logits = rng.normal(0, 1, len(labels))
            if profile.labels[action] in labels:
                logits[labels.index(profile.labels[action])] += 3
            probs = np.exp(logits) / np.exp(logits).sum()
            scores[name] = StreamScore(name, window, probs.astype(np.float32))
        predictions.append(fuse("weighted_sum", profile.labels, vocabularies, weights, scores))
    found = timeline.segments(predictions, profile.labels, profile.segments)
    return Report(
        video=Video("long.mp4", hours * 3600, Fraction(30), 1280, 720, True),
        profile={"name": "phar17", "window_s": 7.0, "stride_s": stride_s, "coefficients": weights}
        | {"fusion": "weighted_sum", "segments": {"threshold": profile.segments.threshold}, "models": {}}
        | {"sampling": "seconds", "backend": "openvino", "device": "cpu", "precision": "f32"},
        labels=profile.labels,
        vocabularies=vocabularies,
        predictions=tuple(predictions),
        timestamps=tuple(found),
        tags=tuple(timeline.tags(found, cover, hours * 3600)),
        timing={"total_s": 1.0, "realtime_factor": 1.0, "main": {}},
        created="2026-01-01T00:00:00+00:00",
        phar_version="0",
        topk=3,
    )


def browser() -> webdriver.Chrome:
    """Start the installed Chromium, headless."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        raise SystemExit("chromium and chromedriver are not installed; sh requirements/browser.sh")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1440,900"):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=Service(driver))


def main() -> None:
    """Write the page, open it, print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--stride", type=float, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    report = made_up(options.hours, options.stride)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "long.html"
        WRITERS["html"].write(report, page)
        print(f"{len(report.predictions)} windows, {page.stat().st_size / 1e6:.1f} MB")
        driver = browser()
        opened, moved = [], []
        for number in range(options.repeats):
            driver.get("about:blank")
            started = time.perf_counter()
            driver.get(page.as_uri())
            driver.execute_async_script(_NEXT_PICTURE)
            opened.append(time.perf_counter() - started)
            started = time.perf_counter()
            driver.execute_script(_MOVE_THRESHOLD, 0.4 + number / 100)
            driver.execute_async_script(_NEXT_PICTURE)
            moved.append(time.perf_counter() - started)
        driver.quit()
    print(f"open: {statistics.median(opened):.2f} s; threshold moved: {statistics.median(moved):.2f} s")


if __name__ == "__main__":
    main()
