"""The management plane: who owns which original, and the `darkroom` command."""
