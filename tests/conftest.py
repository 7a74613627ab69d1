"""Fixtures that several rooms' tests share, and what keeps one test from spoiling those after it."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytest_plugins = ["browser_fixtures", "fake_streams", "report_fixtures"]

ROOT = Path(__file__).resolve().parent.parent

#: Set in this process, and so in every one that it starts.
MARK = "PHAR_TESTS_OF"

#: Section of a failure's report that says how busy the machine was.
MACHINE = "Machine"

#: Helpers of `multiprocessing` that stay as long as the process they serve.
HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Folder of real clips beside the checkout; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("PHAR_SHARED_MEDIA", ROOT.parent / "shared" / "media"))
    if not folder.is_dir():
        pytest.skip("real clips are not here; set PHAR_SHARED_MEDIA to their folder")
    return folder


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Mark this process, and have the one that hands tests to others tell of failures."""
    os.environ[MARK] = str(os.getpid())
    if config.getoption("numprocesses", None):
        config.pluginmanager.register(Failures(config.pluginmanager.getplugin("terminalreporter")))


class Failures:
    """Shows a failure when it happens: a run that is cut off later has told of it."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print what failed, and where."""
        if report.failed:
            self._terminal.write_line(f"\n{report.nodeid}, {report.when}:\n{report.longreprtext}")
            self._terminal.write_line("; ".join(text for name, text in report.sections if name == MACHINE))


@pytest.fixture(scope="module", autouse=True)
def strays() -> Iterator[None]:
    """End what a file's tests left running, also what is nobody's child any more, and name it."""
    yield
    _, left = psutil.wait_procs(_marked(), timeout=2)
    for process in left:
        try:
            line = " ".join(process.cmdline())[:200]
            process.kill()
        except psutil.Error:
            continue
        warnings.warn(f"left running: {line}", stacklevel=2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Say beside a failure how busy the machine is: many tests wait for something with a limit."""
    report = yield
    if report.failed:
        running = [
            f"{each.info['name']} ({each.pid})"
            for each in psutil.process_iter(["name", "status"])
            if each.info["status"] == psutil.STATUS_RUNNING
        ]
        load = " ".join(f"{each:.1f}" for each in os.getloadavg())
        report.sections.append((MACHINE, f"load {load}; running: {', '.join(running)}"))
    return report


def _marked() -> list[psutil.Process]:
    """Return the living processes that this one started, or that those started."""
    found = []
    for process in psutil.process_iter():
        try:
            helper = any(name in each for each in process.cmdline() for name in HELPERS)
            ours = process.environ().get(MARK) == str(os.getpid())
            dead = process.status() == psutil.STATUS_ZOMBIE
            if ours and not helper and not dead and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found
