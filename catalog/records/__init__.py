"""Records: tables by noun, the database, its schema and migrations."""
