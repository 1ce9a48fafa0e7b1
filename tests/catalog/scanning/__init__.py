"""Tests of catalog/scanning."""
