"""Where conversations wait for an answer: LangGraph's checkpoints, in SQLite inside the home or in Postgres."""

import sqlite3
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from shopbot.database import BUSY_TIMEOUT_MS, database_url
from shopbot.errors import ConfigError
from shopbot.settings import Settings

# Only plain data may come out of a checkpoint: nothing that is written into the database becomes code.
STRICT = JsonPlusSerializer(allowed_msgpack_modules=None)


def open_checkpointer(settings: Settings) -> BaseCheckpointSaver[Any]:
    """The checkpointer of this installation, its tables made. Raises ConfigError where the packages are missing."""
    url = database_url(settings)
    if url.get_backend_name() == "sqlite":
        from langgraph.checkpoint.sqlite import SqliteSaver

        connection = sqlite3.connect(
            settings.home / "checkpoints.sqlite3", timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False
        )
        saver = SqliteSaver(connection, serde=STRICT)
        saver.setup()
        return saver
    try:
        from langgraph.checkpoint.postgres import PostgresSaver
        from psycopg.rows import dict_row
        from psycopg_pool import ConnectionPool
    except ModuleNotFoundError as error:
        raise ConfigError(f"database_url: {error}; install shopbot[postgres]") from error
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    pool = ConnectionPool(
        plain, open=True, kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    )
    postgres = PostgresSaver(pool, serde=STRICT)  # type: ignore[arg-type]
    postgres.setup()
    return postgres
