"""Media: formats, facts, and readers of file headers."""
