"""Waking an engine of this process as soon as a transaction that queued jobs was committed.

The listeners hang on the database's engine, so that whoever enqueues needs to know none of them. A notification is a
hint: an engine also polls.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from catalog.records.database import Database

Listener = Callable[[], None]

_OPTION = "darkroom_job_listeners"
_REGISTERED = "job_notification"


@contextmanager
def notified(database: Database, listener: Listener) -> Iterator[None]:
    """Call `listener` after each commit that queued jobs, during the block. It must neither wait nor raise."""
    engine = database.engine.sync_engine
    listeners: list[Listener] = engine.get_execution_options().get(_OPTION, [])
    engine.update_execution_options(**{_OPTION: listeners})
    listeners.append(listener)
    try:
        yield
    finally:
        listeners.remove(listener)


def notify_after_commit(session: AsyncSession) -> None:
    """Call the listeners once the session's transaction is committed."""
    sync_session = session.sync_session
    if not sync_session.info.get(_REGISTERED):
        sync_session.info[_REGISTERED] = True
        event.listen(sync_session, "after_commit", _notify)


def _notify(sync_session: Session) -> None:
    options: dict[str, Any] = dict(sync_session.get_bind().get_execution_options())
    for listener in tuple(options.get(_OPTION, ())):
        listener()
