"""What PostgreSQL's errors mean to callers of the port."""

from __future__ import annotations

from typing import Any

import asyncpg

from penstock.errors import Conflict, Unavailable, Unheard

OUT_OF_REACH: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
)
"""Failures of the place, not of the statement: the same batch may succeed later."""

ROLLED_BACK = (
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
)
"""The server undid it, to let others pass, or since the schema has changed: it may be asked again at once."""

LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""With the last, a connection made while the server was read-only would stay so, or the primary is elsewhere now."""


def translate(error: Exception) -> Exception:
    """Conflict, Unavailable, or the error itself where it is a mistake in the statement."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return Conflict(_name(error))
    if isinstance(error, OUT_OF_REACH):
        return unavailable()
    return error


def is_lost(connection: Any, error: BaseException) -> bool:
    """Whether the connection is gone, so that its transaction, if it was not being committed, is undone."""
    return connection.is_closed() or isinstance(error, LOST)


def unavailable() -> Unavailable:
    return Unavailable("The tables cannot be reached or written: try again.")


def unheard() -> Unheard:
    return Unheard("The tables did not answer, and may have been written: try again.")


def _name(error: asyncpg.IntegrityConstraintViolationError) -> str:
    if error.constraint_name:
        return str(error.constraint_name)
    return f"{error.table_name}_{error.column_name}_not_null"
