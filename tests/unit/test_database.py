import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError

from shopbot.database import alembic_config, open_database, writing
from shopbot.errors import ConfigError
from shopbot.settings import Settings
from shopbot.tables import (
    ACTIVE,
    SCHEMA_REVISION,
    catalog_pointer,
    catalog_versions,
    conversations,
    facts,
    metadata,
    records,
    runs,
)
from tests.fakes_data import NOON, ROOT, migrated_to


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/home/shopbot.sqlite3"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    yield engine
    engine.dispose()


def test_migrations_build_exactly_the_tables_of_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        script = ScriptDirectory.from_config(alembic_config(connection))
        assert script.get_heads() == [SCHEMA_REVISION]


# ---------------------------------------------------------------- homes of earlier versions

VERSION = {
    "id": "v",
    "created_at": NOON,
    "published_at": NOON,
    "state": "ready",
    "feed_source": "feed",
    "input_hash": "h",
    "manifest": {"counts": {"products": 1, "policies": 3}},
}


def record(kind: str, record_id: str = "a.b", version_id: str = "v") -> dict[str, Any]:
    values = {"ordinal": 0, "payload": {"text": "how long"}, "embed_hash": "e"}
    return {"version_id": version_id, "kind": kind, "record_id": record_id, **values}


def write_version(engine: Engine, *rows: dict[str, Any]) -> None:
    with engine.begin() as connection:
        connection.execute(insert(catalog_versions).values(VERSION))
        connection.execute(insert(catalog_pointer).values(name=ACTIVE, version_id="v"))
        connection.execute(insert(records), list(rows))


def test_an_old_home_loses_its_questions_and_nothing_else(url: str) -> None:
    """0002: a version holds a policy's lines; what customers ask is in the shop's folder."""
    before = migrated_to("0001", url)
    kept = [record("product", "P-1"), record("policy"), record("product", "a.b")]
    write_version(before, *kept, record("question", "a.b#q1"), record("question", "a.b#q2"))
    with before.begin() as connection:
        connection.execute(insert(conversations).values(id="c", created_at=NOON))
    before.dispose()
    engine = open_database(url)
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(select(records)).mappings()]
        assert sorted(found, key=str) == sorted(kept, key=str)
        assert [dict(row) for row in connection.execute(select(catalog_versions)).mappings()] == [VERSION]
        assert connection.execute(select(catalog_pointer)).all() == [(ACTIVE, "v")]
        assert connection.scalar(select(conversations.c.id)) == "c"
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == SCHEMA_REVISION
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


@pytest.mark.parametrize("made_at", ["0001", SCHEMA_REVISION])
def test_records_are_checked_in_new_homes_and_in_migrated_ones(url: str, made_at: str) -> None:
    migrated_to(made_at, url).dispose()
    engine = open_database(url)
    write_version(engine, record("product"), record("policy"), record("line"))
    for refused in (record("question"), record("Line"), record("line"), record("line", version_id="nowhere")):
        with pytest.raises(IntegrityError), writing(engine) as connection:
            connection.execute(insert(records).values(refused))
    engine.dispose()


def test_an_old_home_took_questions_and_no_lines(url: str) -> None:
    """What the tests of the migration begin with is what it once was."""
    before = migrated_to("0001", url)
    write_version(before, record("question"))
    with pytest.raises(IntegrityError), before.begin() as connection:
        connection.execute(insert(records).values(record("line")))
    before.dispose()


# ---------------------------------------------------------------- SQLite


def test_sqlite_is_set_up_for_many_readers_and_one_writer(engine: Engine) -> None:
    with engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "busy_timeout")]
        assert found == ["wal", 30_000]
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_moments_come_back_aware_and_in_utc(engine: Engine) -> None:
    local = datetime(2026, 5, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    with writing(engine) as connection:
        connection.execute(insert(conversations).values(id="c", created_at=local))
    with engine.connect() as connection:
        found = connection.scalar(select(conversations.c.created_at))
    assert found is not None
    assert (NOON, timedelta(0)) == (found, found.utcoffset())


def test_naive_moments_are_refused(engine: Engine) -> None:
    values = insert(conversations).values(id="c", created_at=datetime(2026, 5, 1))
    with pytest.raises(StatementError, match="naive datetime"), writing(engine) as connection:
        connection.execute(values)


def test_states_and_references_are_checked(engine: Engine) -> None:
    run = {"id": "r", "question": "?", "created_at": NOON}
    with writing(engine) as connection:
        connection.execute(insert(conversations).values(id="c", created_at=NOON))
    for values in ({"conversation_id": "c", "state": "odd"}, {"conversation_id": "nowhere", "state": "done"}):
        with pytest.raises(IntegrityError), writing(engine) as connection:
            connection.execute(insert(runs).values(**run, **values))


def test_a_failed_transaction_leaves_nothing(engine: Engine) -> None:
    def write_and_fail() -> None:
        with writing(engine) as connection:
            connection.execute(insert(conversations).values(id="c", created_at=NOON))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with engine.connect() as connection:
        assert connection.scalar(select(conversations.c.id)) is None


def test_concurrent_read_and_write_cycles_lose_no_update(engine: Engine) -> None:
    row = {
        "article_id": "a",
        "sku": "",
        "currency": "USD",
        "price_as_of": NOON,
        "stock_as_of": NOON,
        "source": "x",
        "stock": 0,
    }
    with writing(engine) as connection:
        connection.execute(insert(facts).values(row))

    def add_one(_: int) -> None:
        with writing(engine) as connection:
            stock = connection.scalar(select(facts.c.stock)) or 0
            connection.execute(update(facts).values(stock=stock + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(100)))
    with engine.connect() as connection:
        assert connection.scalar(select(facts.c.stock)) == 100


def test_processes_that_open_a_new_home_at_once_do_not_clash(url: str) -> None:
    code = f"from shopbot.database import open_database; open_database({url!r}).dispose()"
    command = [sys.executable, "-W", "error", "-c", code]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(4)]
    errors = [process.communicate()[1].decode() for process in processes]
    assert list(zip([process.returncode for process in processes], errors, strict=True)) == [(0, "")] * 4


def test_opening_again_needs_no_migration(url: str) -> None:
    open_database(url).dispose()
    code = f"import sys, shopbot.database as d; d.open_database({url!r}); print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_settings_put_the_database_into_the_home(tmp_path: Path) -> None:
    open_database(Settings(home=tmp_path / "deep" / "home")).dispose()
    assert (tmp_path / "deep" / "home" / "shopbot.sqlite3").is_file()


def test_a_home_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="SHOPBOT_HOME"):
        open_database(Settings(home=tmp_path / "file" / "home"))


def test_a_home_that_cannot_be_written_is_a_config_error(tmp_path: Path) -> None:
    """A folder in the database's place stands for a read-only home: root, as in a container, may write all."""
    (tmp_path / "shopbot.sqlite3").mkdir()
    with pytest.raises(ConfigError, match="unable to open database file"):
        open_database(Settings(home=tmp_path))


def test_a_file_that_is_no_database_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "shopbot.sqlite3").write_text("not a database, but long enough to look like one" * 20)
    with pytest.raises(ConfigError, match="not a database"):
        open_database(Settings(home=tmp_path))


def test_a_database_from_a_newer_shopbot_is_a_config_error(url: str) -> None:
    engine = open_database(url)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ConfigError, match="newer shopbot"):
        open_database(url)


@pytest.mark.parametrize("url", ["shopbot.sqlite3", "nonsense://x", ""])
def test_a_wrong_url_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError, match="database_url"):
        open_database(url)


def test_a_password_never_shows_in_an_error() -> None:
    pytest.importorskip("psycopg", reason="the postgres extra is not installed")
    with pytest.raises(ConfigError) as caught:
        open_database("postgresql+psycopg://shop:secret@127.0.0.1:1/shop")
    assert "secret" not in str(caught.value)


def test_importing_the_data_layer_is_quick_and_reads_nothing() -> None:
    """Heavy libraries are loaded by the functions that need them."""
    modules = "money, shop, database, tables, embedding, intents, index, catalog, search, facts"
    code = f"import sys; from shopbot import {modules}; from ingest import pipeline; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"torch", "chromadb", "sentence_transformers", "bm25s", "alembic", "transformers", "scipy"}
    assert heavy & set(done.stdout.split()) == set()
