"""The script Alembic runs for each command: it connects the history to the connection and to the tables."""

from alembic import context

from catalog.records.tables import Record

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Record.metadata,
    render_as_batch=True,  # SQLite cannot alter most of a table; a batch operation rebuilds it
    transactional_ddl=True,
)
context.run_migrations()
