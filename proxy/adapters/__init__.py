"""Adapters: one foreign dependency each, strangers to each other; `proxy.backends` wires them."""
