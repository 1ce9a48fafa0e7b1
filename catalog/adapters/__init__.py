"""Adapters of the management plane: one foreign dependency each."""
