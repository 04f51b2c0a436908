"""Whatever hangs on a conversation goes with it; the shop's books and everybody else's conversations stay."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select

from app.forgetting import customer_of, erase, forget
from shopbot.database import open_database, writing
from shopbot.errors import RecordNotFound
from shopbot.orders import seed_orders
from shopbot.settings import REPOSITORY
from shopbot.tables import conversations, customers, erasures, feedback, metadata, orders, run_events, runs
from tests.fakes_data import NOON

CAIRN = REPOSITORY / "data" / "cairn"
MAYA, PRIYA = "C-1001", "C-1003"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database in which Maya, Priya and a visitor have talked."""
    engine = open_database(f"sqlite:///{tmp_path}/shopbot.sqlite3")
    seed_orders(engine, CAIRN / "customers.jsonl", CAIRN / "orders.jsonl")
    with writing(engine) as connection:
        for name, customer_id in (("m1", MAYA), ("m2", MAYA), ("p", PRIYA), ("v", None)):
            talk: dict[str, Any] = {"id": name, "created_at": NOON, "customer_id": customer_id}
            connection.execute(insert(conversations).values(**talk))
            run = {"id": f"run-{name}", "conversation_id": name, "question": "Hi", "state": "done", "created_at": NOON}
            connection.execute(insert(runs).values(**run))
            event = {"run_id": f"run-{name}", "seq": 1, "kind": "done", "payload": {}, "at": NOON}
            connection.execute(insert(run_events).values(**event))
            thumb = {"id": f"thumb-{name}", "run_id": f"run-{name}", "thumb": "up", "at": NOON}
            connection.execute(insert(feedback).values(**thumb))
    yield engine
    engine.dispose()


def rows(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {t.name: connection.scalar(select(func.count()).select_from(t)) or 0 for t in metadata.sorted_tables}


def test_of_a_customer_every_table_of_talks_is_cleared_and_the_books_stay(engine: Engine) -> None:
    before = rows(engine)
    erased = forget(engine, None, conversations.c.customer_id == MAYA, "customer", NOON)
    after = rows(engine)
    assert (sorted(erased.conversations), sorted(erased.runs)) == (["m1", "m2"], ["run-m1", "run-m2"])
    lost = {name: before[name] - after[name] for name in before if before[name] != after[name]}
    assert lost == {"conversations": 2, "runs": 2, "run_events": 2, "feedback": 2, "erasures": -1}
    with engine.connect() as connection:
        left = set(connection.scalars(select(conversations.c.id)))
        kept = connection.scalar(select(func.count()).select_from(orders).where(orders.c.customer_id == MAYA))
    assert left == {"p", "v"}
    assert kept
    assert after["customers"] == before["customers"]


def test_the_note_of_a_deletion_tells_when_and_how_much_and_nothing_of_whose(engine: Engine) -> None:
    forget(engine, None, conversations.c.customer_id == MAYA, "staff", NOON)
    with engine.connect() as connection:
        (note,) = connection.execute(select(erasures)).all()
    assert (note.at, note.asked_by, note.conversations, note.runs) == (NOON, "staff", 2, 2)
    assert set(note._mapping) == {"id", "at", "asked_by", "conversations", "runs"}


def test_every_table_that_refers_to_a_conversation_is_reached(engine: Engine) -> None:
    """Along the foreign keys, however far; a table that is added later needs no line here."""
    with writing(engine) as connection:
        erase(connection, conversations.c.id.is_not(None))
    left = rows(engine)
    reached = {"conversations"}
    while more := {
        table.name
        for table in metadata.sorted_tables
        if table.name not in reached and any(key.column.table.name in reached for key in table.foreign_keys)
    }:
        reached |= more
    assert {name: left[name] for name in reached} == dict.fromkeys(reached, 0)
    assert left["orders"] > 0


def test_many_conversations_are_deleted_in_several_goes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.forgetting._AT_ONCE", 1)
    with writing(engine) as connection:
        erased = erase(connection, conversations.c.created_at <= NOON)
    assert sorted(erased.conversations) == ["m1", "m2", "p", "v"]


def test_a_customer_is_found_by_e_mail_however_it_is_written(engine: Engine) -> None:
    assert customer_of(engine, " Maya.Lindqvist@Example.com") == MAYA
    with pytest.raises(RecordNotFound, match="no customer has that e-mail"):
        customer_of(engine, "nobody@x.example")
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(customers))
