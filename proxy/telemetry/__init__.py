"""Telemetry: logs, metrics, and watched background tasks."""
