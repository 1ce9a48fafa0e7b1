"""Whose rows a transaction may reach on PostgreSQL: one tenant's, every tenant's, or nobody's.

The scope belongs to the task that runs (a `ContextVar`), so that no call between a route and its queries has to hand it
on. Each transaction takes the scope of the moment in which it begins as its local setting `app.tenant`, which the
policies of `catalog.records.row_security` compare with the tenant of every row. A transaction outside of any scope
reaches nothing. A task starts with the scope of the task that started it: what outlives a request enters its own.

This is the second lock. The first is the tenant in every query, and SQLite has no other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from proxy.core.identifiers import TenantName, tenant_name

EVERY_TENANT: Final = "*"
"""No tenant can have this name."""
_NOBODY: Final = ""

_scope: ContextVar[str] = ContextVar("tenant_scope", default=_NOBODY)


@contextmanager
def tenant_scope(tenant: TenantName) -> Iterator[None]:
    """Let the transactions of the block reach the rows of one tenant. Raise ValueError for what cannot be a name."""
    with _scoped(tenant_name(tenant)):
        yield


@contextmanager
def every_tenant() -> Iterator[None]:
    """Let the transactions of the block reach the rows of every tenant: work of the house."""
    with _scoped(EVERY_TENANT):
        yield


@contextmanager
def no_tenant() -> Iterator[None]:
    """Let the transactions of the block reach nothing, until a scope is entered; afterwards the scope is as before."""
    with _scoped(_NOBODY):
        yield


def enter_tenant(tenant: TenantName) -> None:
    """Let the following transactions of this task reach the rows of one tenant."""
    _scope.set(tenant_name(tenant))


def enter_every_tenant() -> None:
    """Let the following transactions of this task reach the rows of every tenant."""
    _scope.set(EVERY_TENANT)


def current_scope() -> str:
    """Return the value of `app.tenant`: a tenant's name, EVERY_TENANT, or empty text. It needs no quoting in SQL."""
    return _scope.get()


@contextmanager
def _scoped(scope: str) -> Iterator[None]:
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)
