"""Conversions: an image in another format, as a derivative or as a new image."""
