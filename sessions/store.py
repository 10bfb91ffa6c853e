"""The one way to Redis: bounded waits, no hidden retries, one place where its errors become ours.

redis-py's client repeats a command up to ten times when its answer is lost, and so does it twice (measured: XADD,
INCR and RPUSH had two effects). So its connections are asked directly, which also costs a fifth less CPU a command.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Self

from redis import BlockingConnectionPool, Connection, Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from sessions.durability import examine
from sessions.errors import StoreDown
from sessions.scripts import Call, Script

LONGEST_BLOCK = timedelta(seconds=1)
"""How long one blocking read may take; waiting longer is done in slices."""

Word = str | bytes | int


class GroupMissing(StoreDown):
    """A ready stream has no consumer group: a new or a flushed database."""


class RedisStore:
    """A thread-safe pool of connections. Answers come as Redis gives them: bytes, ints, lists, None. All methods
    raise :class:`~sessions.errors.StoreDown`."""

    def __init__(self, pool: BlockingConnectionPool, blocking: BlockingConnectionPool) -> None:
        self.pool = pool
        self._blocking = blocking

    @classmethod
    def open(cls, url: str, *, patience: timedelta, connections: int = 50) -> Self:
        """*patience* bounds each of: the wait for a free connection, the connect, the answer. *connections* should
        not be fewer than the threads that use the store. Nothing is connected yet. Raises ValueError for a URL
        that is none."""
        return cls(
            _pool(url, connections, patience, patience),
            _pool(url, connections, patience, patience + LONGEST_BLOCK),
        )

    def close(self) -> None:
        self.pool.disconnect()
        self._blocking.disconnect()

    def ping(self) -> None:
        self.command("PING")

    def check_writable(self) -> None:
        """Writes: a replica, a full memory or a disk that refuses the append-only file are found here."""
        self.command("SET", "fd:{0}:probe", "1", "EX", 60)

    def check_durable(self, *, allow_volatile: bool = False) -> list[str]:
        """Raises :class:`~sessions.errors.UnsafeStore` with all reasons at once why accepted messages may be lost
        here; returns what the operator should hear at start. *allow_volatile* turns reasons that are about
        persistence into warnings."""
        with _guarded():
            return examine(Redis(connection_pool=self.pool), allow_volatile=allow_volatile)

    def command(self, *words: Word) -> Any:
        with _guarded():
            return _asked(self.pool, words)

    def commands(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """Several independent commands in one round trip; what raises is the first that failed."""
        results = self._pipeline(commands)
        with _guarded():
            return [_unless_error(result) for result in results]

    def block(self, *words: Word) -> Any:
        """A command that waits in Redis for at most :data:`LONGEST_BLOCK`."""
        with _guarded():
            return _asked(self._blocking, words)

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Word]) -> Any:
        """One script, one round trip."""
        with _guarded():
            try:
                return _asked(self.pool, ("EVALSHA", script.sha, len(keys), *keys, *args))
            except NoScriptError:  # it did not run: Redis was restarted or its scripts were flushed
                return _asked(self.pool, ("EVAL", script.text, len(keys), *keys, *args))

    def run_all(self, calls: Sequence[Call]) -> list[Any]:
        """Several independent scripts in one round trip."""
        if len(calls) == 1:
            return [self.run(calls[0].script, calls[0].keys, calls[0].args)]
        results = self._pipeline(
            [("EVALSHA", call.script.sha, len(call.keys), *call.keys, *call.args) for call in calls]
        )
        return [self._resolved(call, result) for call, result in zip(calls, results, strict=True)]

    def _resolved(self, call: Call, result: Any) -> Any:
        if isinstance(result, NoScriptError):
            return self.run(call.script, call.keys, call.args)
        with _guarded():
            return _unless_error(result)

    def _pipeline(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """What each command was answered, errors of Redis included."""
        with _guarded(), _lent(self.pool) as connection:
            connection.send_packed_command(connection.pack_commands(commands))
            return [_answer(connection) for _ in commands]


def pairs(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """The fields of a stream entry or a hash, or members with their scores, which Redis gives as a flat list."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _asked(pool: BlockingConnectionPool, words: Sequence[Word]) -> Any:
    with _lent(pool) as connection:
        connection.send_command(*words)
        return connection.read_response()


def _answer(connection: Connection) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def _unless_error(result: Any) -> Any:
    if isinstance(result, Exception):
        raise result
    return result


@contextmanager
def _lent(pool: BlockingConnectionPool) -> Iterator[Connection]:
    """A connection without an unread answer. One that fails disconnects itself, and connects at its next use."""
    connection = pool.get_connection()
    try:
        yield connection
    finally:
        pool.release(connection)


def _pool(url: str, connections: int, patience: timedelta, answer: timedelta) -> BlockingConnectionPool:
    return BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=patience.total_seconds(),
        socket_connect_timeout=patience.total_seconds(),
        socket_timeout=answer.total_seconds(),
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        decode_responses=False,
    )


@contextmanager
def _guarded() -> Iterator[None]:
    """The one place where what redis-py raises becomes ours."""
    try:
        yield
    except ResponseError as error:
        if str(error).startswith(("NOGROUP", "UNBLOCKED")):
            raise GroupMissing(str(error)) from error
        raise StoreDown(f"Redis refused: {_without_arguments(error)}") from error
    except (RedisError, OSError) as error:
        raise StoreDown(f"Redis does not answer: {type(error).__name__}") from error


def _without_arguments(error: ResponseError) -> str:
    """Redis quotes an unknown command's arguments, and ours hold customers' words."""
    return str(error).partition(", with args")[0]
