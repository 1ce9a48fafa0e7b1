"""Search: what images are found by, and how a search becomes SQL."""
