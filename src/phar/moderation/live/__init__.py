"""Live sources: watched side by side, judged a window at a time, told as events.

A thread for each source receives and decodes; one thread judges; one delivers. Between them are places of
fixed size, so neither memory nor delay grows with what comes in.
"""
