"""URLs: links, seals and references to sources."""
