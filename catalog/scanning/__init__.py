"""Scanning uploads for malware."""
