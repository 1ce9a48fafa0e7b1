"""Tests of catalog/adapters."""
