"""The pure core: functions of values that use the standard library only, without I/O, clocks and threads."""
