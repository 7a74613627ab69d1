"""Headless Chromium as a fixture: one browser for each file of tests, a clean page for every test."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

#: How long a page may take to become what a test waits for, on a machine that does much else.
PATIENCE_S = 90

#: What headless tests need, and nothing that a browser does of its own accord, such as looking for updates.
QUIET = (
    "headless=new",
    "disable-dev-shm-usage",
    "autoplay-policy=no-user-gesture-required",
    "disable-background-networking",
    "disable-component-update",
    "disable-gpu",
    "disable-sync",
    "no-first-run",
)


class Browser:
    """What tests ask of a browser."""

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def open(self, page: Path) -> None:
        """Open a file, forgetting what was logged before."""
        self.requests()
        self.console()
        self.driver.get(page.as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page and return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + PATIENCE_S
        while not self.run(f"return Boolean({expression})"):
            assert time.monotonic() < end, f"still not so: {expression}"
            time.sleep(0.02)

    def set(self, selector: str, value: object) -> None:
        """Give a slider or a field a value as a reader would, and let the page settle."""
        self.run(
            "const element = document.querySelector(arguments[0]); element.value = arguments[1];"
            "for (const type of ['input', 'change'])"
            " element.dispatchEvent(new Event(type, {bubbles: true}));",
            selector,
            value,
        )
        self.settle()

    def click(self, selector: str) -> None:
        """Click an element with the pointer, and let the page settle."""
        self.driver.find_element("css selector", selector).click()
        self.settle()

    def press(self, keys: str) -> None:
        """Press keys wherever the focus is, and let the page settle."""
        self.driver.switch_to.active_element.send_keys(keys)
        self.settle()

    def settle(self) -> None:
        """Wait for the next two pictures."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
        )

    def texts(self, selector: str) -> list[str]:
        """Return the text of every element found."""
        return self.run(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector
        )

    def downloaded(self, name: str) -> str:
        """Wait for a file the page saved, and return its text."""
        path = self.downloads / name
        end = time.monotonic() + PATIENCE_S
        while not path.exists():
            assert time.monotonic() < end, f"{name} was not saved"
            time.sleep(0.02)
        text = path.read_bytes().decode()
        path.unlink()
        return text

    def devtools(self, command: str, **arguments: Any) -> Any:
        """Send a command of the Chrome DevTools Protocol."""
        return self.driver.execute_cdp_cmd(command, arguments)

    def screen(self, width_px: int, height_px: int, *, mobile: bool = False, dark: bool = False) -> None:
        """Set the size of the screen and the colour scheme its owner prefers."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width_px,
            height=height_px,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])

    def console(self) -> list[str]:
        """Return what was written to the console since the last call, but for files looked for in vain."""
        entries = self.driver.get_log("browser")
        return [
            f"{entry['level']}: {entry['message']}"
            for entry in entries
            if not (entry["source"] == "network" and "ERR_FILE_NOT_FOUND" in entry["message"])
        ]

    def requests(self) -> list[str]:
        """Return the address of every request since the last call."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="module")
def start_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Browser]]:
    """Start Chromium when a test first asks for it; tests skip where it is not installed."""
    started: list[Browser] = []

    def start() -> Browser:
        if not started:
            started.append(_started(tmp_path_factory.mktemp("downloads")))
        return started[0]

    yield start
    for browser in started:
        browser.driver.quit()


@pytest.fixture
def browser(start_browser: Callable[[], Browser]) -> Iterator[Browser]:
    """A browser on a wide, light screen; the test fails if the page writes to the console."""
    found = start_browser()
    found.screen(1440, 900)
    yield found
    assert found.console() == []
    found.driver.get("about:blank")


def _started(downloads: Path) -> Browser:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("Chromium and its driver are not here; requirements/browser.sh says how to get them")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in QUIET:
        options.add_argument(f"--{flag}")
    if os.geteuid() == 0:
        # Chromium's sandbox refuses to run as root.
        options.add_argument("--no-sandbox")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return Browser(webdriver.Chrome(options=options, service=Service(driver)), downloads)
