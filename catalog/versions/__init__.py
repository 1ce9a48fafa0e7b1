"""Versions of an image: replacing its bytes, and going back."""
