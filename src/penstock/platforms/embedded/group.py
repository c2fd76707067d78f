"""Group commit: many batches in one transaction, each still all or nothing by itself."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from penstock.errors import Unavailable
from penstock.platforms.memory import sqlite
from penstock.ports import Row, Statement, Value

Batch = Sequence[Statement]
Outcome = list[list[Row]] | Exception


class Group:
    """Runs groups on one connection, which nothing else may use."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._failures = sqlite.Failures(connection)

    def run(self, batches: Sequence[Batch]) -> list[Outcome]:
        """What became of each batch; raises BusyError, with nothing done, while another process writes.

        A group is run as if all went well, since savepoints would cost half as much again. Where something fails it is
        run once more with a savepoint a batch, and where that loses the transaction, each batch alone.
        """
        for attempt in (self._together, self._guarded):
            try:
                self._connection.execute("begin immediate")
                outcomes = attempt(batches)
                self._connection.execute("commit")
            except apsw.BusyError:
                sqlite.roll_back(self._connection)
                raise
            except Exception as error:  # noqa: BLE001 - each batch must get an answer
                sqlite.roll_back(self._connection)
                if len(batches) == 1:
                    return [self._failures.translate(error)]
            else:
                return outcomes
        return [self._alone(batch) for batch in batches]

    def _together(self, batches: Sequence[Batch]) -> list[Outcome]:
        """The batches that only add rows at once, their rows by statement; the others one by one."""
        outcomes: list[Outcome] = []
        rows: dict[str, list[Sequence[Value]]] = {}
        for batch in batches:
            if all(sqlite.plain_insert(sql) for sql, _ in batch):
                for sql, args in batch:
                    rows.setdefault(sql, []).append(args)
                outcomes.append([[] for _ in batch])
            else:
                outcomes.append(sqlite.run(self._connection, batch))
        for sql, some in rows.items():
            sqlite.insert(self._connection, sql, some)
        return outcomes

    def _guarded(self, batches: Sequence[Batch]) -> list[Outcome]:
        return [self._in_savepoint(batch) for batch in batches]

    def _in_savepoint(self, batch: Batch) -> Outcome:
        self._connection.execute("savepoint batch")
        try:
            outcome: Outcome = sqlite.run(self._connection, batch)
        except Exception as error:
            if self._connection.get_autocommit():
                raise
            self._connection.execute("rollback to batch")
            outcome = self._failures.translate(error)
        self._connection.execute("release batch")
        return outcome

    def _alone(self, batch: Batch) -> Outcome:
        try:
            return sqlite.in_transaction(self._connection, batch)
        except Exception as error:  # noqa: BLE001 - each batch must get an answer
            return self._failures.translate(error)


def refuse_all(batches: Sequence[Batch]) -> list[Outcome]:
    """The outcomes where the tables cannot be written now."""
    return [
        Unavailable("The tables cannot be written: another process holds them.") for _ in batches
    ]
