"""Changes inside mp4 boxes and Matroska elements, sizes of what is around them kept right."""

from __future__ import annotations

import struct
from collections.abc import Iterator

#: Boxes that hold boxes, and the bytes before those.
_HOLDERS = {b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"dinf": 0, b"stbl": 0, b"dref": 8}


def with_box(data: bytes, name: bytes, new: bytes) -> bytes:
    """Replace every box of that name; the index must stand behind the pictures, whose places stay."""
    out = bytearray()
    for kind, box in _boxes(data):
        if kind == name:
            out += new
        elif kind in _HOLDERS:
            head = 8 + _HOLDERS[kind]
            inside = with_box(box[head:], name, new)
            out += struct.pack(">I", head + len(inside)) + box[4:head] + inside
        else:
            out += box
    return bytes(out)


def box(kind: bytes, content: bytes) -> bytes:
    """Make a box."""
    return struct.pack(">I", 8 + len(content)) + kind + content


def box_of(data: bytes, name: bytes) -> bytes:
    """Return the first box of that name, whole."""
    for kind, found in _boxes(data):
        if kind == name:
            return found
        if kind in _HOLDERS and (inner := box_of(found[8 + _HOLDERS[kind] :], name)):
            return inner
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        yield data[at + 4 : at + 8], data[at : at + size]
        at += size


def with_element(data: bytes, identity: bytes, value: bytes) -> bytes:
    """Replace the value of a Matroska element that has as many bytes, wherever it stands."""
    head = identity + bytes([0x80 | len(value)])
    assert head in data, f"no element {identity.hex()} of {len(value)} bytes"
    parts = data.split(head)
    return parts[0] + b"".join(head + value + part[len(value) :] for part in parts[1:])
