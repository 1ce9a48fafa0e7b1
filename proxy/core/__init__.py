"""The pure core: functions of values, the standard library alone, no I/O, no clock, no thread."""
