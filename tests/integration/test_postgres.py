"""The same database layer on a real Postgres; skipped without the `postgres` extra or the server's programs."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypedDict, cast

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from sqlalchemy import Table, create_engine, func, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from app.chat import ChatService
from app.checkpoints import open_checkpointer
from app.forgetting import erase
from graph.turn import Timings, Tokens, TurnResult
from shopbot.accounts import Session
from shopbot.database import open_database, utc_now, writing
from shopbot.errors import ConfigError, ConversationBusy, TicketNotWritten
from shopbot.facts import FactUpdate
from shopbot.settings import Settings
from shopbot.tables import (
    accounts,
    catalog_versions,
    conversations,
    metadata,
    records,
    run_events,
    runs,
    ticket_messages,
    tickets,
)
from shopbot.tickets import SoFar, TicketMessage, Tickets
from tests.fakes_data import NOON, ROOT, changed_product, migrated_to
from tests.integration.test_ingest import Home, found, open_home

pytest.importorskip("psycopg", reason="the postgres extra is not installed")

START_TIMEOUT_S = 30
# Debian keeps its server programs off the path.
POSTGRES = shutil.which("postgres") or max(map(str, Path("/usr/lib/postgresql").glob("*/bin/postgres")), default=None)
# Postgres refuses to run as root, which tests in a container often do.
SERVER_USER = {"user": "postgres"} if os.geteuid() == 0 else {}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if POSTGRES is None:
        pytest.skip("no postgres on the path")
    programs = Path(POSTGRES).resolve().parent
    folder = Path("/tmp") / f"shopbot-postgres-{secrets.token_hex(4)}"  # a socket's path has to be short
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir()
    if SERVER_USER:
        shutil.chown(folder, **SERVER_USER)
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **SERVER_USER}
    data = str(folder / "data")
    initialise = [programs / "initdb", "-D", data, "-U", "shop", "--auth", "trust", "-E", "UTF8", "-N"]
    subprocess.run(initialise, check=True, **options)  # type: ignore[call-overload]
    command = [POSTGRES, "-D", data, "-k", str(folder), "-h", "127.0.0.1", "-p", str(port), "-F"]
    process = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    try:
        url = f"postgresql+psycopg://shop@127.0.0.1:{port}"
        wait_for(f"{url}/postgres")
        yield url
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


def wait_for(url: str) -> None:
    engine = create_engine(url)
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            engine.connect().close()
            break
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    engine.dispose()


@pytest.fixture
def url(server: str) -> str:
    """The URL of a new, empty database."""
    name = f"shop_{secrets.token_hex(4)}"
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{server}/{name}"


@pytest.fixture
def home(tmp_path: Path, url: str) -> Iterator[Home]:
    home = open_home(tmp_path)
    home.engine.dispose()
    home.engine = open_database(url)
    yield home
    home.engine.dispose()


def test_migrations_build_exactly_the_tables_of_the_code(home: Home) -> None:
    with home.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_processes_that_open_a_new_database_at_once_do_not_clash(url: str) -> None:
    code = f"from shopbot.database import open_database; open_database({url!r}).dispose()"
    command = [sys.executable, "-W", "error", "-c", code]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(4)]
    errors = [process.communicate()[1].decode() for process in processes]
    assert list(zip([process.returncode for process in processes], errors, strict=True)) == [(0, "")] * 4


def test_an_old_database_loses_its_questions_and_takes_lines_from_then_on(url: str) -> None:
    def record(kind: str) -> dict[str, Any]:
        return {"version_id": "v", "kind": kind, "record_id": "a.b", "ordinal": 0, "payload": {}, "embed_hash": "e"}

    before = migrated_to("0001", url)
    version = {"id": "v", "created_at": NOON, "state": "ready", "feed_source": "feed", "input_hash": "h"}
    with before.begin() as connection:
        connection.execute(insert(catalog_versions).values(version))
        connection.execute(insert(records), [record(kind) for kind in ("product", "policy", "question")])
    before.dispose()
    engine = open_database(url)
    with writing(engine) as connection:
        assert sorted(connection.scalars(select(records.c.kind))) == ["policy", "product"]
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        connection.execute(insert(records).values(record("line")))
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(insert(records).values(record("question")))
    engine.dispose()


def test_moments_come_back_aware_and_in_utc(home: Home) -> None:
    with writing(home.engine) as connection:
        connection.execute(text("SET TIME ZONE 'America/Denver'"))
        connection.execute(insert(conversations).values(id="c", created_at=NOON))
        moment = connection.scalar(select(conversations.c.created_at))
    assert moment is not None
    assert (NOON, timedelta(0)) == (moment, moment.utcoffset())


def test_feeds_are_published_and_found(home: Home) -> None:
    home.ingest()
    assert found(home, "copper saucepan")[0] == "K-1"
    assert home.sections("return deadline")[0] == "returns.window"
    report = home.ingest(changed_product("K-1", title="Kettle"))
    assert (report.embedded, report.carried_over) == (1, 14)
    assert not home.ingest(changed_product("K-1", title="Kettle")).changed
    assert home.facts().known().currencies["K-3", "K-3-S"] == "USD"


def test_the_newest_fact_wins_among_many_writers(home: Home) -> None:
    """All write an article that has no row yet: no lost update, no clash of keys."""
    facts = home.facts(NOON + timedelta(hours=1))

    def write(minute: int) -> None:
        moment = NOON + timedelta(minutes=minute)
        facts.apply([FactUpdate("K-1", "", {"stock": minute}, moment, "USD")], "test")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, [7, 3, 39, 12, 0, 38, 21] * 4))
    own = facts.read(["K-1"])["K-1"].own
    assert (39, NOON + timedelta(minutes=39)) == (own.stock, own.stock_as_of)


AGENT = Session(account_id="agent", name="Lea", email="lea@x.example", role="agent")
ASKED = SoFar(messages=(TicketMessage(author="customer", text="A person, please", at=NOON),))


@pytest.fixture
def kept(home: Home) -> Tickets:
    """Tickets of a conversation "c", which an agent may answer."""
    account = {"id": "agent", "email": "lea", "name": "Lea", "role": "agent", "password_hash": "", "created_at": NOON}
    with writing(home.engine) as connection:
        connection.execute(insert(accounts).values(account))
        connection.execute(insert(conversations).values(id="c", created_at=NOON))
    return Tickets(home.engine, lambda: NOON)


def test_a_ticket_lives_from_its_opening_to_its_end(kept: Tickets, home: Home) -> None:
    number, is_new = kept.open("c", "asked", "About: a tent", ASKED)
    assert is_new
    with writing(home.engine) as connection:
        assert kept.take("c", "hello?", connection) == number
        held = {"id": "r", "conversation_id": "c", "question": "hello?", "state": "done", "ticket_id": number}
        connection.execute(insert(runs).values(**held, created_at=NOON, finished_at=NOON))
    kept.reply(AGENT, number, "Hello")
    said = [(message.author, message.text) for message in kept.one(AGENT, number).messages]
    assert said == [("customer", "A person, please"), ("customer", "hello?"), ("agent", "Hello")]
    with writing(home.engine) as connection:
        assert [ticket.id for ticket in kept.of("c", connection)] == [number]
        assert kept.call_back("c", connection)
        assert kept.take("c", "hello?", connection) is None
    assert [ticket.id for ticket in kept.inbox(AGENT, "closed")] == [number]
    with writing(home.engine) as connection:
        erase(connection, conversations.c.id == "c")
        assert connection.scalar(select(func.count()).select_from(ticket_messages)) == 0


def test_many_requests_at_once_make_one_ticket(kept: Tickets) -> None:
    """Nothing but the unique index stands between them here."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: kept.open("c", "asked", "s", ASKED), range(24)))
    assert len({number for number, _ in found}) == 1
    assert [is_new for _, is_new in found].count(True) == 1
    assert len(kept.one(AGENT, found[0][0]).messages) == 1


def test_messages_at_once_all_get_their_place(kept: Tickets, home: Home) -> None:
    number, _ = kept.open("c", "asked", "s", ASKED)

    def one(turn: int) -> None:
        if turn % 2:
            kept.reply(AGENT, number, f"a{turn}")
        else:
            with writing(home.engine) as connection:
                kept.take("c", f"c{turn}", connection)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(24)))
    assert len(kept.one(AGENT, number).messages) == 25


def test_a_ticket_without_its_transcript_is_none(kept: Tickets, home: Home) -> None:
    with writing(home.engine) as connection:
        connection.execute(text("ALTER TABLE ticket_messages ADD CHECK (text <> 'A person, please')"))
    with pytest.raises(TicketNotWritten):
        kept.open("c", "asked", "s", ASKED)
    with home.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(tickets)) == 0


def test_an_unreachable_server_is_a_config_error_without_the_password() -> None:
    with pytest.raises(ConfigError, match="cannot open the database") as caught:
        open_database("postgresql+psycopg://shop:secret@127.0.0.1:1/shop")
    assert "secret" not in str(caught.value)


def test_a_proposal_waits_in_postgres_until_it_is_answered(url: str, tmp_path: Path) -> None:
    """With the checkpointer of another process, as after a restart."""

    class Waiting(TypedDict, total=False):
        change: dict[str, str]
        reply: str

    graph = StateGraph(Waiting)
    graph.add_node("propose", lambda _: {"change": {"action": "cancel"}})
    graph.add_node("confirm", lambda _: {"reply": interrupt("well?")})
    graph.add_edge(START, "propose")
    graph.add_edge("propose", "confirm")
    settings = Settings(_env_file=None, home=tmp_path, database_url=url)  # type: ignore[call-arg]
    thread: RunnableConfig = {"configurable": {"thread_id": "a conversation"}}
    before, after = open_checkpointer(settings), open_checkpointer(settings)
    graph.compile(checkpointer=before).invoke({}, thread, durability="sync")
    answered = graph.compile(checkpointer=after)
    assert answered.get_state(thread).next == ("confirm",)
    assert answered.invoke(Command(resume="yes"), thread) == {"change": {"action": "cancel"}, "reply": "yes"}
    after.delete_thread("a conversation")
    assert before.get(thread) is None
    for saver in (before, after):
        saver.conn.close()  # type: ignore[attr-defined]


class NoGraph:
    checkpointer = None


@pytest.fixture
def two_servers(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[ChatService], threading.Event]]:
    """Two chat services with engines of their own on one database; their turns wait for the event, then say hello."""
    go = threading.Event()

    def turn(*_: Any) -> Any:
        go.wait(30)
        return TurnResult(
            answer="Hello.", citations=(), product_ids=(), role="other", verdict="passed", fallback=False,
            model_share=0.0, handoff=False, arm="base", catalog_version="v", tokens=Tokens(),
            timings_ms=Timings(first_sentence=0.0, total=0.0, retrieve=0.0, generate=0.0),
        )  # fmt: skip

    monkeypatch.setattr("app.chat.run_turn", turn)
    monkeypatch.setattr("app.chat.check_request", lambda *_: None)
    engines = [open_database(url) for _ in range(2)]
    deps: list[Any] = [SimpleNamespace(clock=utc_now, tickets=Tickets(engine, utc_now)) for engine in engines]
    chats = [ChatService(engine, cast(Any, NoGraph()), of) for engine, of in zip(engines, deps, strict=True)]
    yield chats, go
    go.set()
    for chat, engine in zip(chats, engines, strict=True):
        chat.close()
        engine.dispose()


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    gate = threading.Barrier(count)

    def one(number: int) -> Any:
        gate.wait()
        try:
            return act(number)
        except ConversationBusy as busy:
            return busy

    with ThreadPoolExecutor(count) as clients:
        return list(clients.map(one, range(count)))


def counted(chat: ChatService, *tables: Table) -> list[int | None]:
    with chat._database.connect() as connection:
        return [connection.scalar(select(func.count()).select_from(table)) for table in tables]


def test_a_message_sent_at_once_to_two_servers_is_one_run(two_servers: Any) -> None:
    chats, go = two_servers
    started = at_once(10, lambda number: chats[number % 2].start("Hi", key="the-key-of-one-message"))
    go.set()
    assert len(set(started)) == 1
    assert counted(chats[1], runs) == [1]


def test_of_many_messages_at_once_one_begins_and_the_others_are_refused(two_servers: Any) -> None:
    chats, go = two_servers
    go.set()
    run_id, conversation_id = chats[0].start("Hi")
    list(chats[0].events(run_id))
    go.clear()
    started = at_once(10, lambda number: chats[number % 2].start(f"Hi {number}", conversation_id))
    go.set()
    assert sum(isinstance(reply, ConversationBusy) for reply in started) == 9


def test_what_one_server_deletes_the_other_does_not_write_again(two_servers: Any) -> None:
    chats, go = two_servers
    run_id, conversation_id = chats[0].start("Hi")
    chats[1].forget_conversation(conversation_id)
    chats[0]._pulse.beat()
    assert chats[0]._cancels[run_id].is_set()
    go.set()
    chats[0].close()
    assert counted(chats[1], conversations, runs, run_events) == [0, 0, 0]
