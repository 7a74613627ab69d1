"""H.264 and HEVC packets taken apart into NAL units, far enough to join streams of two encoders.

Both codecs keep what a decoder must know (size, tools) in parameter sets that slices refer to by
number. In H.264 the sets of both encoders lie side by side in the container's header, under
different numbers; in HEVC each part brings its own along.

Source: ITU-T H.264 sections 7.3 and 7.4, ITU-T H.265 sections 7.3 and 7.4, ISO/IEC 14496-15
sections 5.3.3 (avcC) and 8.3.3 (hvcC).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_H264_IDR, _H264_SPS, _H264_PPS = 5, 7, 8
_HEVC_IRAP = range(16, 24)
_HEVC_CRA, _HEVC_BLA_N_LP = 21, 18
_HEVC_SETS = (32, 33, 34)

#: Profiles whose avcC record ends with four bytes on chroma and bit depth.
_HIGH_PROFILES = (100, 110, 122, 144, 244, 44)


class Malformed(ValueError):
    """Bytes that are no packet or header of the codec."""


def units(data: bytes, length_size: int) -> list[bytes]:
    """Split a packet into NAL units; `length_size` 0 means start codes, else bytes per length."""
    return list(_by_length(data, length_size) if length_size else _by_start_code(data))


def joined(nals: Iterable[bytes], length_size: int) -> bytes:
    """Put NAL units together again, each behind its length, or behind a start code."""
    if not length_size:
        return b"".join(b"\0\0\0\1" + nal for nal in nals)
    return b"".join(len(nal).to_bytes(length_size, "big") + nal for nal in nals)


def _by_length(data: bytes, size: int) -> Iterator[bytes]:
    at = 0
    while at + size <= len(data):
        length = int.from_bytes(data[at : at + size], "big")
        at += size
        if length == 0 or at + length > len(data):
            raise Malformed("a NAL unit is longer than its packet")
        yield data[at : at + length]
        at += length


def _by_start_code(data: bytes) -> Iterator[bytes]:
    at = data.find(b"\0\0\1")
    while at >= 0:
        following = data.find(b"\0\0\1", at + 3)
        nal = data[at + 3 : following if following >= 0 else len(data)].rstrip(b"\0")
        if nal:
            yield nal
        at = following


@dataclass(frozen=True)
class H264:
    """What the header of an H.264 stream says."""

    length_size: int
    """Bytes per NAL length in the packets; 0 where they have start codes."""
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]

    @classmethod
    def of(cls, extradata: bytes) -> H264:
        """Read an avcC record, or parameter sets behind start codes."""
        if extradata[:1] != b"\1":
            found = units(extradata, 0)
            return cls(0, *(tuple(nal for nal in found if nal[0] & 31 == kind) for kind in (7, 8)))
        if len(extradata) < 7:
            raise Malformed("the avcC record is cut off")
        at = 5
        sets: list[tuple[bytes, ...]] = []
        for mask in (31, 255):
            count, at, found = extradata[at] & mask, at + 1, []
            for _ in range(count):
                length = int.from_bytes(extradata[at : at + 2], "big")
                found.append(extradata[at + 2 : at + 2 + length])
                at += 2 + length
            sets.append(tuple(found))
        return cls((extradata[4] & 3) + 1, *sets)

    def record(self) -> bytes:
        """Return an avcC record with all parameter sets and four-byte lengths."""
        # All sets of one record share its profile; the level must suffice for each of them.
        first = self.sps[0]
        level = max(sps[3] for sps in self.sps)
        out = bytes([1, first[1], first[2], level, 0xFF, 0xE0 | len(self.sps)])
        out += b"".join(len(sps).to_bytes(2, "big") + sps for sps in self.sps)
        out += bytes([len(self.pps)]) + b"".join(len(pps).to_bytes(2, "big") + pps for pps in self.pps)
        if first[1] in _HIGH_PROFILES:
            chroma, luma_bits, chroma_bits = _chroma_and_depth(first)
            out += bytes([0xFC | chroma, 0xF8 | luma_bits - 8, 0xF8 | chroma_bits - 8, 0])
        return out

    def with_sets_of(self, nals: Iterable[bytes]) -> H264:
        """Add parameter sets that are not known yet.

        Raises:
            Malformed: one has the number of another that says something else.
        """
        sps, pps = list(self.sps), list(self.pps)
        for nal in nals:
            kind = nal[0] & 31
            known = sps if kind == _H264_SPS else pps if kind == _H264_PPS else None
            if known is None or nal in known:
                continue
            number = _number_of(nal)
            if any(_number_of(other) == number for other in known):
                raise Malformed("the video changes its parameters on the way")
            known.append(nal)
        return H264(self.length_size, tuple(sps), tuple(pps))

    def free_number(self) -> int:
        """Return a number that no parameter set has, for the sets of another encoder."""
        used = {_number_of(nal) for nal in (*self.sps, *self.pps)}
        return next(number for number in range(31, -1, -1) if number not in used)


def without_sets(nals: Iterable[bytes]) -> list[bytes]:
    """Drop the parameter sets among an H.264 packet's NAL units."""
    return [nal for nal in nals if nal[0] & 31 not in (_H264_SPS, _H264_PPS)]


def is_idr(nals: Iterable[bytes]) -> bool:
    """Tell whether an H.264 picture makes the decoder forget all before it."""
    return any(nal[0] & 31 == _H264_IDR for nal in nals)


def _number_of(nal: bytes) -> int:
    """Return seq_parameter_set_id or pic_parameter_set_id."""
    skipped = 4 if nal[0] & 31 == _H264_SPS else 1
    return _Bits(nal[skipped:]).ue()


def _chroma_and_depth(sps: bytes) -> tuple[int, int, int]:
    bits = _Bits(sps[4:])
    bits.ue()
    chroma = bits.ue()
    if chroma == 3:
        bits.read(1)
    return chroma, bits.ue() + 8, bits.ue() + 8


@dataclass(frozen=True)
class Hevc:
    """What the header of an HEVC stream says."""

    length_size: int
    """Bytes per NAL length in the packets; 0 where they have start codes."""
    sets: tuple[bytes, ...]
    """Video, sequence and picture parameter sets."""

    @classmethod
    def of(cls, extradata: bytes) -> Hevc:
        """Read an hvcC record, or parameter sets behind start codes."""
        if extradata[:1] != b"\1":
            return cls(0, tuple(nal for nal in units(extradata, 0) if hevc_kind(nal) in _HEVC_SETS))
        if len(extradata) < 23:
            raise Malformed("the hvcC record is cut off")
        sets, at = [], 23
        for _ in range(extradata[22]):
            count, at = int.from_bytes(extradata[at + 1 : at + 3], "big"), at + 3
            for _ in range(count):
                length = int.from_bytes(extradata[at : at + 2], "big")
                sets.append(extradata[at + 2 : at + 2 + length])
                at += 2 + length
        return cls((extradata[21] & 3) + 1, tuple(nal for nal in sets if hevc_kind(nal) in _HEVC_SETS))


def hevc_kind(nal: bytes) -> int:
    """Return nal_unit_type."""
    return nal[0] >> 1 & 63


def hevc_starts(nals: Iterable[bytes]) -> bool:
    """Tell whether an HEVC picture can be decoded without any before it."""
    return any(hevc_kind(nal) in _HEVC_IRAP for nal in nals)


def hevc_sets(nals: Iterable[bytes]) -> list[bytes]:
    """Return the parameter sets among NAL units."""
    return [nal for nal in nals if hevc_kind(nal) in _HEVC_SETS]


def hevc_without_sets(nals: Iterable[bytes]) -> list[bytes]:
    """Drop the parameter sets among an HEVC packet's NAL units."""
    return [nal for nal in nals if hevc_kind(nal) not in _HEVC_SETS]


def as_broken_link(nals: Iterable[bytes]) -> list[bytes]:
    """Mark a clean random access picture as one whose leading pictures are gone.

    The slice headers of both kinds are the same; only a broken link lets the decoder start over.
    """
    return [
        bytes([nal[0] & 0x81 | _HEVC_BLA_N_LP << 1]) + nal[1:] if hevc_kind(nal) == _HEVC_CRA else nal
        for nal in nals
    ]


class _Bits:
    """Reads a NAL unit's payload bit by bit."""

    def __init__(self, payload: bytes) -> None:
        # The third byte of 00 00 03 only keeps the payload from looking like a start code.
        clean = payload[:64].replace(b"\0\0\3", b"\0\0")
        self._bits = int.from_bytes(clean, "big")
        self._left = len(clean) * 8

    def read(self, count: int) -> int:
        """Return the next `count` bits as a number."""
        self._left -= count
        if self._left < 0:
            raise Malformed("a parameter set is cut off")
        return self._bits >> self._left & (1 << count) - 1

    def ue(self) -> int:
        """Return the next unsigned Exp-Golomb number."""
        zeros = 0
        while not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)
