"""The review page: one file, made once, that holds nothing but itself."""

from __future__ import annotations

import html
from pathlib import Path

from phar import __version__
from phar.export.html import PARTS as SHARED
from phar.export.one_file import one_file

PARTS = Path(__file__).with_name("page")
SCRIPTS = (
    SHARED / "dom.js",
    SHARED / "chrome.js",
    *(
        PARTS / name
        for name in (
            "talk.js",
            "player.js",
            "deck.js",
            "review.js",
            "label.js",
            "videos.js",
            "history.js",
            "page.js",
        )
    ),
)
STYLES = (SHARED / "base.css", PARTS / "review.css")

#: Previews come by `fetch`, which can carry a token, and are played from memory.
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; media-src blob:; "
    "img-src 'self'; base-uri 'none'; form-action 'none'"
)


def page() -> tuple[str, str]:
    """Return the page and its content security policy."""
    return one_file(PARTS / "review.html", STYLES, SCRIPTS, _POLICY, {"version": html.escape(__version__)})
