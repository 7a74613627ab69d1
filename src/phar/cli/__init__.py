"""The commands: each file parses its arguments, calls a room, and prints; torch is imported late."""
