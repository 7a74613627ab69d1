"""VIA 3: projects (JSON) and its CSV export.

Source: VGG Image Annotator 3, data format 3.1: `file`, `view`, `attribute`, `metadata`; in a metadata entry
`z` holds seconds (two: a span; one: a still; none: the whole file), `xy` a region, `av` attribute values,
https://www.robots.ox.ac.uk/~vgg/software/via/. A value of a choice is the id of an option, of a checkbox
several ids joined by commas, of a text the text. VIA's CSV has no header row: columns stand in a comment.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phar.dataset.formats.document import read_json, read_text
from phar.dataset.formats.mark import Fault, Mark, Parsed, ReadOptions, number_of, role_of
from phar.schema import UsageError

_TEXT, _CHECKBOX = 1, 2
_SPAN_ANCHOR = "FILE1_Z2_XY0"
_HEADER = "# CSV_HEADER = "
_ATTRIBUTES = ("# ATTRIBUTE = ", "# ATTRIBUTES = ")
_CSV_COLUMNS = [
    "metadata_id",
    "file_list",
    "flags",
    "temporal_coordinates",
    "spatial_coordinates",
    "metadata",
]


def is_via_project(document: object) -> bool:
    """Whether parsed JSON is a VIA 3 project."""
    return isinstance(document, dict) and {"metadata", "view", "file", "attribute"} <= set(document)


def is_via_csv(text: str) -> bool:
    """Whether a text is VIA's CSV."""
    return any(line.startswith(_HEADER) for line in text.splitlines()[:50])


def read_via(path: Path, options: ReadOptions) -> Parsed:
    """Read a VIA 3 project or CSV export.

    Raises:
        UsageError: the file cannot be read or is neither.
    """
    if path.suffix.lower() == ".json":
        return _project(path, options)
    return _csv(path, options)


def _project(path: Path, options: ReadOptions) -> Parsed:
    document = read_json(path)
    if not is_via_project(document):
        raise UsageError(f"{path}: is no VIA 3 project; save the project as JSON in VIA 3")
    parsed = Parsed()
    attributes = _Attributes(document["attribute"], options, parsed)
    views = _mapping(document["view"])
    for vid in views:
        for name in _files(document, vid):
            parsed.videos.setdefault(name, f"view {vid}")
    for mid, stated in _mapping(document["metadata"]).items():
        where, entry = f"metadata {mid}", _mapping(stated)
        names = _files(document, str(entry.get("vid", "")))
        _entry(parsed, attributes, where, names, entry.get("z"), entry.get("xy"), entry.get("av"))
    return parsed


def _csv(path: Path, options: ReadOptions) -> Parsed:
    text = read_text(path)
    if not is_via_csv(text):
        raise UsageError(f"{path}: has no line {_HEADER.strip()!r}; export CSV from VIA 3")
    parsed = Parsed()
    comments = [line for line in text.splitlines() if line.startswith("#")]
    stated = [line.removeprefix(mark) for line in comments for mark in _ATTRIBUTES if line.startswith(mark)]
    attributes = _Attributes(_json(stated[0]) if stated else {}, options, parsed)
    header = next(line for line in comments if line.startswith(_HEADER)).removeprefix(_HEADER).split(",")
    if [name.strip() for name in header[: len(_CSV_COLUMNS)]] != _CSV_COLUMNS:
        raise UsageError(f"{path}: has columns {','.join(header)[:80]!r}; export CSV from VIA 3")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for cells in reader:
            where = f"row {reader.line_num}"
            if not cells or cells[0].startswith("#"):
                continue
            if len(cells) < len(_CSV_COLUMNS):
                parsed.faults.append(Fault(where, "bad-row", f"has {len(cells)} cells, not 6", "export anew"))
                continue
            files, z, xy, av = (_json(cells[at]) for at in (1, 3, 4, 5))
            names = [str(name) for name in files] if isinstance(files, list) else []
            for name in names:
                parsed.videos.setdefault(name, where)
            _entry(parsed, attributes, where, names, z, xy, av)
    except csv.Error as error:
        raise UsageError(f"{path}: row {reader.line_num} cannot be read ({error}); export it anew") from None
    return parsed


def _entry(
    parsed: Parsed, attributes: _Attributes, where: str, names: list[str], z: Any, xy: Any, av: Any
) -> None:
    """Turn one metadata entry into marks, or into a fault."""

    def fault(kind: str, what: str, mend: str) -> None:
        parsed.faults.append(Fault(where, kind, what, mend))

    if len(names) != 1:
        fault("no-video", f"belongs to {len(names)} files, not 1", "annotate one video in each view")
        return
    times = [number_of(value) for value in z] if isinstance(z, list) else None
    if times is None or len(times) == 1 or len(times) > 2 or None in times:
        fault("not-a-span", f"has times {json.dumps(z)[:40]}, which are no span", "mark a temporal segment")
        return
    if isinstance(xy, list) and xy:
        fault("not-a-span", "is a region in the picture", "mark a temporal segment")
        return
    values = attributes.values(_mapping(av))
    labels = values.get("label", [])
    category, verdict = (", ".join(values.get(role, [])) for role in ("category", "verdict"))
    if not labels and not (verdict and not times):
        fault("no-label", "has no label", "choose one, or name the attribute by --label-attribute")
        return
    start, end = times or (None, None)
    for label in labels or [""]:
        parsed.marks.append(Mark(where, names[0], label, start, end, category=category, verdict=verdict))


class _Attributes:
    """What the attributes of a project hold: one the label, and maybe others category and verdict."""

    def __init__(self, stated: Any, options: ReadOptions, parsed: Parsed) -> None:
        # Some versions state only the names.
        self._attributes: dict[str, Mapping[str, Any]] = {
            aid: _mapping(value) if isinstance(value, dict) else {"aname": str(value), "type": _TEXT}
            for aid, value in _mapping(stated).items()
        }
        names = {aid: str(attribute.get("aname", "")) for aid, attribute in self._attributes.items()}
        roles = {aid: role_of(name) for aid, name in names.items()}
        wanted = options.label_attribute
        if wanted is not None and wanted not in names.values():
            shown = ", ".join(names.values()) or "none"
            raise UsageError(f"--label-attribute {wanted!r} is not in the project; it has {shown}")
        if wanted is not None:
            others = {aid: None if role == "label" else role for aid, role in roles.items()}
            roles = {aid: "label" if names[aid] == wanted else role for aid, role in others.items()}
        elif "label" not in roles.values():
            free = [aid for aid, role in roles.items() if role not in ("category", "verdict")]
            spans = [aid for aid in free if self._attributes[aid].get("anchor_id") == _SPAN_ANCHOR]
            roles |= dict.fromkeys((spans or free)[:1], "label")
        self._roles = {aid: role for aid, role in roles.items() if role in ("label", "category", "verdict")}
        for aid, name in names.items():
            if aid not in self._roles:
                parsed.faults.append(
                    Fault("attributes", "unread-column", f"attribute {name!r} is not read", "rename it", True)
                )

    def values(self, av: Mapping[str, Any]) -> dict[str, list[str]]:
        """Texts of a metadata entry's attributes by what they hold."""
        found: dict[str, list[str]] = {}
        for aid, role in self._roles.items():
            value = av.get(aid)
            if not isinstance(value, str | int) or not str(value).strip():
                continue
            attribute = self._attributes[aid]
            options = _mapping(attribute.get("options"))
            kind = attribute.get("type", _TEXT)
            ids = str(value).split(",") if kind == _CHECKBOX else [str(value)]
            texts = [str(options.get(each.strip(), each)).strip() for each in ids]
            found.setdefault(role, []).extend(text for text in texts if text and text != "_DEFAULT")
        return found


def _files(document: Mapping[str, Any], vid: str) -> list[str]:
    view = _mapping(_mapping(document["view"]).get(vid))
    fids = view.get("fid_list")
    files = _mapping(document["file"])
    found = [_mapping(files.get(str(fid))) for fid in fids] if isinstance(fids, list) else []
    return [str(file.get("fname") or file.get("src") or "") for file in found if file]


def _mapping(value: Any) -> dict[str, Any]:
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
