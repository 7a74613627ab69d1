"""A server for moderation teams: videos in, verdicts out, and a page on which people review spans."""
