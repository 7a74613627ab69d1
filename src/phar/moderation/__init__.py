"""Safe, review or block: policies over scores, thresholds that keep a promise, live sources."""
