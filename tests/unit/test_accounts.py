"""Who is asking: hashed passwords, and sessions that nobody can make up."""

import json
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from itsdangerous import TimestampSigner
from sqlalchemy import Engine, select, update

from shopbot.accounts import MOST_FAILURES, SESSION_HOURS, Accounts, open_secret
from shopbot.database import open_database
from shopbot.errors import InputError, SignInRefused
from shopbot.orders import seed_orders
from shopbot.tables import accounts
from tests.fakes_data import NOON

PASSWORD = "a long walk"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/shopbot.sqlite3")
    people = tmp_path / "customers.jsonl"
    people.write_text(json.dumps({"id": "C-1", "name": "Ada", "email": "ada@x.example"}) + "\n")
    seed_orders(engine, people, tmp_path / "absent")
    yield engine
    engine.dispose()


@pytest.fixture
def people(engine: Engine, clock: Clock) -> Accounts:
    made = Accounts(engine, "secret", clock)
    made.add("Ada@X.example", PASSWORD, "customer", "Ada", "C-1")
    return made


def test_a_session_says_who_it_is(people: Accounts) -> None:
    session = people.session(people.sign_in(" ada@x.EXAMPLE ", PASSWORD))
    assert session is not None
    assert (session.name, session.role, session.customer_id, session.is_staff) == ("Ada", "customer", "C-1", False)


def test_staff_have_no_orders_of_their_own(people: Accounts) -> None:
    people.add("lea@x.example", PASSWORD, "agent", "Lea")
    session = people.session(people.sign_in("lea@x.example", PASSWORD))
    assert session is not None
    assert (session.is_staff, session.customer_id) == (True, None)


def test_a_wrong_password_and_an_unknown_address_are_refused_alike(people: Accounts) -> None:
    said = set()
    for email, password in (("ada@x.example", "a short walk"), ("bob@x.example", PASSWORD)):
        with pytest.raises(SignInRefused) as refused:
            people.sign_in(email, password)
        said.add(str(refused.value))
    assert len(said) == 1


def test_after_five_wrong_passwords_the_right_one_has_to_wait_five_minutes(people: Accounts, clock: Clock) -> None:
    for _ in range(MOST_FAILURES):
        with pytest.raises(SignInRefused, match="wrong"):
            people.sign_in("ada@x.example", "wrong word")
    with pytest.raises(SignInRefused, match="too many"):
        people.sign_in("ada@x.example", PASSWORD)
    clock.now += timedelta(minutes=5, seconds=1)
    assert people.sign_in("ada@x.example", PASSWORD)


def test_a_token_that_was_altered_or_signed_elsewhere_is_nobodys(
    people: Accounts, engine: Engine, clock: Clock
) -> None:
    token = people.sign_in("ada@x.example", PASSWORD)
    elsewhere = Accounts(engine, "another secret", clock).sign_in("ada@x.example", PASSWORD)
    for other in (token[:-1], f"{token}x", f"x{token}", elsewhere, "", "a.b.c", None):
        assert people.session(other) is None, other
    assert people.session(token) is not None


def test_a_session_ends_after_its_hours(people: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    token = people.sign_in("ada@x.example", PASSWORD)
    issued = TimestampSigner.get_timestamp(TimestampSigner("any"))
    for hours, is_open in ((SESSION_HOURS - 1, True), (SESSION_HOURS + 1, False)):
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _, h=hours: issued + h * 3600)
        assert (people.session(token) is not None) is is_open


def test_a_new_password_ends_all_sessions(people: Accounts, engine: Engine) -> None:
    token = people.sign_in("ada@x.example", PASSWORD)
    with engine.begin() as connection:
        connection.execute(update(accounts).values(password_hash="x" * 60))
    assert people.session(token) is None


def test_the_database_does_not_have_the_password(people: Accounts, engine: Engine) -> None:
    with engine.connect() as connection:
        row = connection.execute(select(accounts)).one()
    assert PASSWORD not in str(row)
    assert row.password_hash.startswith("$2b$")


@pytest.mark.parametrize(
    ("email", "password", "role", "customer", "field"),
    [
        ("bob@x.example", "short", "agent", None, "password"),
        ("bob@x.example", "ä" * 40, "agent", None, "password"),
        ("bob@x.example", PASSWORD, "customer", None, "customer_id"),
        ("bob@x.example", PASSWORD, "customer", "C-9", "customer_id"),
        ("bob@x.example", PASSWORD, "agent", "C-1", "customer_id"),
        ("ADA@x.example", PASSWORD, "customer", "C-1", "email"),
    ],
)
def test_an_account_that_cannot_be_names_the_field(
    email: str, password: str, role: str, customer: str | None, field: str, people: Accounts
) -> None:
    with pytest.raises(InputError) as error:
        people.add(email, password, role, "Bob", customer)  # type: ignore[arg-type]
    assert error.value.field == field
    assert people.count() == 1


def test_the_key_of_a_home_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = open_secret(home, None)
    assert open_secret(home, None) == key
    assert len(key) > 40
    assert stat.S_IMODE((home / "session.key").stat().st_mode) == 0o600
    assert open_secret(home, "configured") == "configured"
