"""Maintenance: doctor, migrations."""
