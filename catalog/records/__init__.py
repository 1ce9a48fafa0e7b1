"""RenderRecords: tables, database, schema and migrations."""
