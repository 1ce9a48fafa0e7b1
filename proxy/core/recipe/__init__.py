"""Recipes: options, grammar, presets, client hints."""
