"""A database with the tenants acme and zoo, and short ways to what jobs are made of."""

import pytest

from catalog.records.database import Database
from tests.catalog.jobs.queue import Queue
from tests.catalog.samples import add_tenants


@pytest.fixture
async def queue(database: Database) -> Queue:
    """Give a database with two tenants and no jobs."""
    await add_tenants(database)
    return Queue(database)
