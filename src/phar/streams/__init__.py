"""The streams: each looks at a window in its own way and says how likely its labels are."""
