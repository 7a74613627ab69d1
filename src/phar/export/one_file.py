"""A page as one file: style and scripts inside, and a policy that lets nothing else run.

Source: content security policy with hashes, https://www.w3.org/TR/CSP3/
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path


def one_file(
    template: Path, styles: Sequence[Path], scripts: Sequence[Path], policy: str, parts: Mapping[str, str]
) -> tuple[str, str]:
    """Return a page and its content security policy.

    Args:
        template: HTML with `{{policy}}`, `{{style}}`, `{{script}}` and the names in `parts`.
        styles: joined in this order.
        scripts: joined in this order; they share one scope.
        policy: with `{script}` and `{style}` where their hashes belong.
        parts: texts that are markup or are escaped already.
    """
    code = "\n".join(path.read_text(encoding="utf-8") for path in scripts)
    script = f'"use strict";\n(() => {{\n{code}\n}})();\n'
    style = "\n".join(path.read_text(encoding="utf-8") for path in styles)
    allowed = policy.format(script=_hash(script), style=_hash(style))
    texts = {**parts, "style": style, "script": script, "policy": allowed}
    text = re.sub(r"{{(\w+)}}", lambda found: texts[found[1]], template.read_text(encoding="utf-8"))
    return text, allowed


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
