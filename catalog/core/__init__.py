"""The catalog's pure core."""
