"""Records: tables, database, schema and migrations."""
