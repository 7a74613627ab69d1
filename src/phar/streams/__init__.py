"""The streams: each looks at a window in its own way and says how likely its labels are."""

from phar.streams.table import STREAMS, Streams, load_streams

__all__ = ["STREAMS", "Streams", "load_streams"]
