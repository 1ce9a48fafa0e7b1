"""Trash: images that are withdrawn, restored, and deleted for good."""
