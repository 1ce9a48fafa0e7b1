"""Delivery: one image request from its link to its derivative; ports alone."""
