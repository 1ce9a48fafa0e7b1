"""The frame of the `darkroom` command."""
