"""URLs: links, seals, references to sources."""
