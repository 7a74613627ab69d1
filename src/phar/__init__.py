"""Watches long videos and says which action happens when."""
