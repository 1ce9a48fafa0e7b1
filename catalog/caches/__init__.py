"""Caches: purging what was derived from originals."""
