"""Cleanup: deletion of what nothing needs any more."""
