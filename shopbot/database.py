"""The one database of state and live facts: SQLite inside the home by default, Postgres by setting.

Writers take their lock before they read (`writing`), so that "read, decide, write" never races.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from shopbot.errors import ConfigError
from shopbot.tables import SCHEMA_REVISION

if TYPE_CHECKING:
    from alembic.config import Config

    from shopbot.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 30_000  # 5 s were too few for a migration on a machine that does something else as well
MIGRATION_LOCK = 0x5B07  # any number that every shopbot knows and nobody else uses
_WRITE = "shopbot_write"


def utc_now() -> datetime:
    """The clock of production; tests pass their own."""
    return datetime.now(UTC)


def open_database(source: "Settings | str") -> Engine:
    """Return an engine on a database whose tables are up to date; creates and migrates it if needed.

    Safe to call from several processes at once: one migrates, the others wait for it.
    Raises ConfigError if the home can't be written, the database can't be reached, or was made by a newer
    shopbot.
    """
    url = _parse_url(source) if isinstance(source, str) else database_url(source)
    _make_folder(url)
    engine = _create_engine(url)
    try:
        _migrate(engine)
    except DBAPIError as error:
        engine.dispose()
        raise ConfigError(_cannot_open(url, str(error.orig))) from error
    except ConfigError:
        engine.dispose()
        raise
    return engine


def database_url(settings: "Settings") -> URL:
    if settings.database_url:
        return _parse_url(settings.database_url)
    return URL.create("sqlite", database=str(settings.home / "shopbot.sqlite3"))


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that holds SQLite's write lock from its start; commits at the end, or rolls back.

    A transaction that starts by reading and then writes would fail at once, without waiting, if another
    process wrote in between (sqlite.org/rescode.html#busy_snapshot).
    """
    with engine.connect().execution_options(**{_WRITE: True}) as connection, connection.begin():
        yield connection


def lock_table(connection: Connection, table: str) -> None:
    """Let one writer at a time into `table` until the transaction ends; SQLite already does."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))


def _parse_url(value: str) -> URL:
    try:
        return make_url(value)
    except ArgumentError as error:
        raise ConfigError("database_url is no SQLAlchemy URL, e.g. postgresql+psycopg://user@host/shopbot") from error


def _make_folder(url: URL) -> None:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return
    folder = Path(url.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"home {folder} can't be created ({error.strerror}); set SHOPBOT_HOME") from error


def _create_engine(url: URL) -> Engine:
    try:
        engine = create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite")
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ConfigError(f"database_url: {error}; for Postgres: pip install 'psycopg[binary]'") from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Set up one new SQLite connection.

    `isolation_level = None` hands BEGIN to `_begin_sqlite`; the driver's own would come too late, before the
    first write. WAL lets readers and one writer work at once; with it, synchronous=NORMAL can lose the last
    commits in a power cut, never corrupt.
    """
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        if _revision(connection) == SCHEMA_REVISION:
            return
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.util import CommandError

    if _revision(connection) == SCHEMA_REVISION:  # another process was faster while this one waited
        return
    try:
        command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise ConfigError(f"the database was made by a newer shopbot ({error}); install that version") from error


def alembic_config(connection: Connection) -> "Config":
    """Return alembic's configuration for scripts that run inside the caller's transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _cannot_open(url: URL, reason: str) -> str:
    shown = url.render_as_string(hide_password=True)
    return f"cannot open the database {shown} ({reason.strip()}); check SHOPBOT_HOME and SHOPBOT_DATABASE_URL"
