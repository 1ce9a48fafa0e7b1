"""Media: formats, facts, and what headers of files say."""
