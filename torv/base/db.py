"""The database: a pool, transactions and named statements. The only file that knows the driver."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

import asyncpg
from pydantic_core import to_json

from torv.base import errors
from torv.base.sql import Queries, Query, load

T = TypeVar("T")
sql: Queries = load(__file__)

#: constraint name -> what its breaking means in the domain; each slice names its own with `names_constraint`
_MEANINGS: dict[str, type[errors.TorvError]] = {}
_holds_connection: ContextVar[bool] = ContextVar("holds_connection", default=False)

POOL_WAIT = 1.0  #: seconds a request waits for a connection before it is refused
LOCK_WAIT = "2s"  #: how long a statement waits for a lock before it is refused


def names_constraint(constraint: str, error: type[errors.TorvError]) -> None:
    """Say what it means in the domain when this constraint is broken, at the statement or at commit."""
    _MEANINGS[constraint] = error


class SecondConnection(AssertionError):
    """A request took a second connection while it held one: with many such requests the pool deadlocks."""


class Tx:
    """A connection inside a transaction (or, for reads, one statement at a time), and what is to be logged of it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.notes: list[Any] = []  #: trail entries; written in this transaction, or before a read's answer leaves
        self.after_commit: list[Callable[[], None]] = []

    async def maybe(self, model: type[T], query: Query, **values: Any) -> T | None:
        """The only row as `model`, or None. Raises LookupError if there are several."""
        rows = await self.all(model, query, **values)
        if len(rows) > 1:
            raise LookupError(f"{query.name} gave {len(rows)} rows")
        return rows[0] if rows else None

    async def one(self, model: type[T], query: Query, **values: Any) -> T:
        """The only row as `model`. Raises NotFound if there is none."""
        row = await self.maybe(model, query, **values)
        if row is None:
            raise errors.NotFound
        return row

    async def all(self, model: type[T], query: Query, **values: Any) -> list[T]:
        """All rows as `model`, whose fields bear the names of the columns."""
        with _translated():
            rows = await self._connection.fetch(query.text, *query.arguments(values))
        return [model(**row) for row in rows]

    async def value(self, query: Query, **values: Any) -> Any:
        """The first column of the first row, or None if there is no row."""
        with _translated():
            return await self._connection.fetchval(query.text, *query.arguments(values))

    async def run(self, query: Query, **values: Any) -> int:
        """Carry the statement out; gives the number of rows it touched."""
        with _translated():
            status: str = await self._connection.execute(query.text, *query.arguments(values))
        return int(status.rpartition(" ")[2]) if status[-1].isdigit() else 0

    async def script(self, text: str) -> None:
        """Carry out several statements without parameters, as migrations need."""
        with _translated():
            await self._connection.execute(text)


class _Pool:
    """At most `size` connections, each with one user at a time.

    The driver's own pool starts a task for every return of a connection: measured, a tenth of a small read's cost.
    Nothing need be reset in between: we set session state nowhere but at connect, and lock only inside transactions.
    """

    def __init__(self, dsn: str, size: int) -> None:
        self._dsn, self._size = dsn, size
        self._room, self._idle = asyncio.Semaphore(size), list[Any]()

    async def acquire(self) -> Any:
        """The connection returned last, or a new one. Raises Overloaded after a second, or DatabaseUnavailable."""
        if self._idle and not self._room.locked():
            return await self._take()
        try:
            async with asyncio.timeout(POOL_WAIT):
                return await self._take()
        except TimeoutError:
            raise errors.Overloaded from None

    async def _take(self) -> Any:
        await self._room.acquire()
        while self._idle:
            if not (connection := self._idle.pop()).is_closed():
                return connection
        try:
            return await _connect(self._dsn, lock_timeout=LOCK_WAIT, application_name="torv")
        except BaseException:
            self._room.release()
            raise

    def release(self, connection: Any, *, is_sound: bool) -> None:
        """Take a connection back; one whose user was torn away in the middle of something is not used again."""
        if is_sound and not connection.is_in_transaction():
            self._idle.append(connection)
        else:
            connection.terminate()
        self._room.release()

    async def close(self) -> None:
        """Wait until every connection is back, and close them."""
        for _ in range(self._size):
            await self._room.acquire()
        for connection in self._idle:
            await connection.close()


class Database:
    """The pool of one process."""

    def __init__(self, dsn: str, size: int) -> None:
        self._dsn, self._pool = dsn, _Pool(dsn, size)

    @classmethod
    async def open(cls, dsn: str, size: int = 10) -> "Database":
        """Open a pool of at most `size` connections. Raises DatabaseUnavailable."""
        database = cls(dsn, size)
        async with database.reading():
            return database  # it answers

    @classmethod
    @asynccontextmanager
    async def opened(cls, dsn: str, size: int = 10) -> "AsyncIterator[Database]":
        """The same for the length of a block, and closed after it."""
        database = await cls.open(dsn, size)
        try:
            yield database
        finally:
            await database.close()

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """A connection for reading: every statement sees what is committed when it starts."""
        async with self._acquired() as connection:
            yield Tx(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """A transaction, committed when the block ends; only then do its notes exist and its callbacks run."""
        async with self._acquired() as connection, _transacted(connection) as tx:
            yield tx

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Any]:
        if _holds_connection.get():
            raise SecondConnection
        connection, is_sound = await self._pool.acquire(), True
        mark = _holds_connection.set(True)
        try:
            yield connection
        except Exception:
            raise
        except BaseException:
            is_sound = False
            raise
        finally:
            _holds_connection.reset(mark)
            self._pool.release(connection, is_sound=is_sound)

    @asynccontextmanager
    async def line(self) -> AsyncIterator["Line"]:
        """A connection of its own, outside the pool, for the trail, the lease, the sequencer and listeners."""
        connection = await _connect(self._dsn, application_name="torv-line")
        try:
            yield Line(connection)
        finally:
            connection.terminate()  # whoever leaves has finished or failed: nothing here is worth waiting for


class Line(Tx):
    """A connection that one task keeps for itself."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """A transaction on this connection; see Database.transaction."""
        async with _transacted(self._connection) as tx:
            yield tx

    async def listen(self, channel: str, heard: Callable[[str], None]) -> None:
        """Call `heard` with what each NOTIFY of the channel says. A lost one costs time only: everybody also polls."""
        with _translated():
            await self._connection.add_listener(channel, lambda *said: heard(said[-1]))


@asynccontextmanager
async def _transacted(connection: Any) -> AsyncIterator[Tx]:
    tx, transaction = Tx(connection), connection.transaction()
    with _translated():
        await transaction.start()
    try:
        yield tx
        await write_notes(tx, tx.notes)
    except BaseException:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await transaction.rollback()
        raise
    with _translated():
        await transaction.commit()
    for callback in tx.after_commit:
        callback()


async def write_notes(tx: Tx, entries: list[Any]) -> None:
    """Insert trail entries. The one statement that both roads of the trail share (see trail.py)."""
    if entries:
        await tx.run(sql.insert_trail, entries=entries)


async def _connect(dsn: str, **settings: str) -> Any:
    with _translated():
        connection = await asyncpg.connect(dsn, server_settings=settings)
        try:
            for kind in ("json", "jsonb"):
                await connection.set_type_codec(kind, schema="pg_catalog", encoder=_to_json, decoder=json.loads)
        except BaseException:
            connection.terminate()
            raise
        return connection


def _to_json(value: Any) -> str:
    return to_json(value).decode()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into ours, here and nowhere else."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        raise _MEANINGS.get(error.constraint_name or "", errors.ConstraintBroken) from error
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
        raise errors.Busy from error
    except asyncpg.DataError as error:
        raise errors.InvalidInput(reason="a value is out of range") from error
    except asyncpg.TooManyConnectionsError as error:
        raise errors.Overloaded from error
    except (
        asyncpg.PostgresConnectionError, ConnectionError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError,
        asyncpg.CannotConnectNowError, asyncpg.InternalClientError, FileNotFoundError,
        asyncpg.ObjectNotInPrerequisiteStateError, asyncpg.InvalidCatalogNameError,  # closed, gone
    ) as error:  # fmt: skip
        raise errors.DatabaseUnavailable from error
    except asyncpg.InterfaceError as error:
        if isinstance(error, ValueError):  # the driver could not even send the value
            raise errors.InvalidInput(reason="a value is out of range") from error
        raise errors.DatabaseUnavailable from error
