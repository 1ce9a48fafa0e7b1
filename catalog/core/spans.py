"""Units of the spans of time in commands: 90s, 30m, 1h, 7d."""

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
