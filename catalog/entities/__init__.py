"""Entities: things of the tenant's own world that show images."""
