"""The figures as one HTML page: the Markdown's tables and the pictures, without scripts, all in one file."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from typing import Any

from markdown_it import MarkdownIt

from phar.evaluate.markdown import markdown
from phar.evaluate.pictures import encoded, pictures

#: Pictures as readers see them first; matrices of single streams come last.
_TITLES = {
    "confusion-fused": "Confusion of the fused answer",
    "f1": "F1 by label",
    "reliability": "Reliability",
}

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2, h3 { margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid #8884; white-space: nowrap; }
th { position: sticky; top: 0; background: Canvas; white-space: normal; vertical-align: bottom; }
tbody tr:hover { background: #8881; }
figure { margin: 1rem 0; } figcaption { font-weight: 600; }
img { max-width: 100%; background: white; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: 13px; }
dd { margin: 0; overflow-wrap: anywhere; }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_PAGE = """<!doctype html>
<!-- written by phar {version} -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{about}
{tables}
{pictures}
</body>
</html>
"""


def page(document: Mapping[str, Any]) -> str:
    """Return the page of the document of `summarize`."""
    names = ", ".join(model["name"] for model in document["models"])
    # Labels and names come from files of strangers: no HTML of theirs is passed on.
    tables = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown(document))
    return _PAGE.format(
        version=html.escape(document["phar_version"]),
        title=html.escape(f"Evaluation of {names}"),
        policy=_POLICY,
        style=_STYLE,
        about="\n".join(_about(model) for model in document["models"]),
        tables=tables.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>"),
        pictures="\n".join(_pictures(model, list(document["labels"])) for model in document["models"]),
    )


def _about(model: Mapping[str, Any]) -> str:
    profile = model.get("profile")
    if profile is None:
        return ""
    rows = {
        "model": model["name"],
        "windows": f"{profile['window_s']:g} s every {profile['stride_s']:g} s",
        "fusion": profile["fusion"],
        "weights": ", ".join(f"{name} {weight:.3g}" for name, weight in profile["coefficients"].items()),
        **{
            name: f"{(net['sha256'] or 'random weights')[:16]}  {net['checkpoint'] or ''}"
            for name, net in profile["models"].items()
        },
    }
    lines = (f"<dt>{html.escape(key)}</dt><dd>{html.escape(str(value))}</dd>" for key, value in rows.items())
    return f"<dl>{''.join(lines)}</dl>"


def _pictures(model: Mapping[str, Any], labels: list[str]) -> str:
    found = pictures(model, labels)
    order = [*_TITLES, *(name for name in found if name not in _TITLES)]
    parts = [f"<h2>Pictures of {html.escape(model['name'])}</h2>"]
    for name in order:
        title = _TITLES.get(name) or f"Confusion of {name.removeprefix('confusion-').replace('_', ', ')}"
        data = base64.b64encode(encoded(found[name], "svg")).decode("ascii")
        parts.append(
            f"<figure><figcaption>{html.escape(title)}</figcaption>"
            f'<img alt="{html.escape(title)}" src="data:image/svg+xml;base64,{data}"></figure>'
        )
    return "\n".join(parts)
