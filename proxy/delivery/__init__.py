"""Delivery: one image request, from its link to its derivative. Depends on ports and the core only."""
