"""Tests of the management plane and its command."""
