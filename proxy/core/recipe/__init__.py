"""Recipes: the option table, the grammar, presets and client hints."""
