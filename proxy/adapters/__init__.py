"""Adapters: one foreign dependency each; they do not import each other. `proxy.backends` wires them."""
