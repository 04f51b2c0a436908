"""A run belongs to a living server: one that died here is seen at once, one elsewhere by its silence."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from app.admission import append_event, check_free, check_key
from app.liveness import SILENCE, Pulse, _name, interrupt_dead, is_dead, this_server
from shopbot.database import open_database, writing
from shopbot.errors import ConversationBusy, InputError
from shopbot.tables import conversations, runs
from tests.fakes_data import NOON

ELSEWHERE = "another-host/17/1.00"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/shopbot.sqlite3")
    with writing(engine) as connection:
        connection.execute(insert(conversations).values(id="c", created_at=NOON))
    yield engine
    engine.dispose()


def put(engine: Engine, run_id: str, **values: Any) -> None:
    row = {"conversation_id": "c", "question": "Hi", "state": "running", "created_at": NOON}
    lives = {"server": this_server(), "alive_at": NOON}
    with writing(engine) as connection:
        connection.execute(insert(runs).values(id=run_id, **(row | lives | values)))


def state(engine: Engine, run_id: str) -> str:
    with engine.connect() as connection:
        return str(connection.scalar(select(runs.c.state).where(runs.c.id == run_id)))


def test_this_process_lives() -> None:
    assert not is_dead(this_server(), NOON, NOON)


def test_a_process_that_has_ended_is_dead_at_once() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    server = _name(process.pid, psutil.Process(process.pid).create_time())
    assert not is_dead(server, NOON, NOON)
    process.kill()
    process.communicate()
    assert is_dead(server, NOON, NOON)


def test_another_process_under_the_same_number_is_not_the_one_that_died() -> None:
    assert is_dead(_name(os.getpid(), 1.0), NOON, NOON)


def test_a_server_elsewhere_is_dead_after_its_silence() -> None:
    assert not is_dead(ELSEWHERE, NOON, NOON + SILENCE)
    assert is_dead(ELSEWHERE, NOON, NOON + SILENCE + timedelta(seconds=1))
    assert is_dead(None, None, NOON)


def test_the_runs_of_the_dead_are_interrupted_and_no_others(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(insert(conversations), [{"id": f"c{n}", "created_at": NOON} for n in range(3)])
    put(engine, "own", conversation_id="c0")
    put(engine, "elsewhere", conversation_id="c1", server=ELSEWHERE)
    put(engine, "died", conversation_id="c2", server=_name(os.getpid(), 1.0))
    put(engine, "over", state="done", server=_name(os.getpid(), 1.0))
    with writing(engine) as connection:
        interrupt_dead(connection, NOON)
    states = {run_id: state(engine, run_id) for run_id in ("own", "elsewhere", "died", "over")}
    assert states == {"own": "running", "elsewhere": "running", "died": "interrupted", "over": "done"}


def test_a_conversation_is_busy_while_its_server_lives_and_free_when_it_has_died(engine: Engine) -> None:
    put(engine, "r", server=ELSEWHERE)
    with pytest.raises(ConversationBusy) as busy, writing(engine) as connection:
        check_free(connection, "c", NOON)
    assert busy.value.retry_after_s > 0
    with writing(engine) as connection:
        check_free(connection, "c", NOON + SILENCE + timedelta(seconds=1))
    assert state(engine, "r") == "interrupted"


def test_the_database_itself_takes_one_running_run_in_a_conversation(engine: Engine) -> None:
    put(engine, "first")
    with pytest.raises(IntegrityError):
        put(engine, "second")
    put(engine, "ended", state="done")
    put(engine, "ended too", state="interrupted")


def test_the_database_itself_takes_a_key_once(engine: Engine) -> None:
    put(engine, "first", state="done", idempotency_key="k")
    with pytest.raises(IntegrityError):
        put(engine, "second", state="done", idempotency_key="k")


def test_a_pulse_keeps_its_own_alive_and_lets_go_of_what_was_ended_or_deleted(engine: Engine) -> None:
    put(engine, "own", alive_at=NOON - SILENCE)
    own = {"own": threading.Event(), "deleted": threading.Event()}
    Pulse(engine, lambda: own, lambda: NOON).beat()
    with engine.connect() as connection:
        assert connection.scalar(select(runs.c.alive_at)) == NOON
    assert {run_id: ended.is_set() for run_id, ended in own.items()} == {"own": False, "deleted": True}


def test_nothing_is_written_into_a_run_that_has_ended(engine: Engine) -> None:
    put(engine, "r")
    with writing(engine) as connection:
        assert append_event(connection, "r", 1, {"kind": "sentence"}, NOON)
        interrupt_dead(connection, NOON + SILENCE * 2)
        assert not append_event(connection, "r", 2, {"kind": "done"}, NOON)
        assert not append_event(connection, "deleted", 1, {"kind": "done"}, NOON)


@pytest.mark.parametrize(
    "key", ["", "short", "x" * 15, "x" * 201, "with a space in it", "schlüssel-schlüssel", "\n" * 20]
)
def test_a_key_that_could_be_another_ones_is_refused(key: str) -> None:
    with pytest.raises(InputError, match=r"Idempotency-Key: 16 to 200 visible ASCII"):
        check_key(key)


def test_no_key_and_a_uuid_are_taken() -> None:
    check_key(None)
    check_key("8e03978e-40d5-43dd-bc93-6894a57f9324")
