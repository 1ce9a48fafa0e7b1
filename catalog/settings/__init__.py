"""Settings of a tenant."""
