"""Caching: tiers, write-behind, tenants at hand, single flight."""
