"""What Alembic runs for each command: the history's link to the connection and to the tables it should arrive at."""

from alembic import context

from catalog.records import all as _all_tables  # noqa: F401 - so that the metadata is complete
from catalog.records.tables import Record

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Record.metadata,
    render_as_batch=True,  # SQLite cannot alter most of a table; a batch rebuilds it
    transactional_ddl=True,
)
context.run_migrations()
