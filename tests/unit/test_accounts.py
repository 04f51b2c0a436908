"""Who is asking: hashed passwords, and sessions that nobody can make up."""

import json
import os
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import bcrypt
import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from sqlalchemy import Engine, delete, select, update

from shopbot.accounts import DEMO_PASSWORD, MOST_FAILURES, SESSION_HOURS, Accounts, open_secret
from shopbot.database import open_database
from shopbot.errors import ConfigError, InputError, SignInRefused
from shopbot.orders import seed_orders
from shopbot.tables import accounts
from shopbot.types import ROLES, Role
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
def people(engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Accounts:
    """One customer's account; hashes are cheap, or every test would take seconds."""
    monkeypatch.setattr(bcrypt, "gensalt", partial(bcrypt.gensalt, 4))
    monkeypatch.setattr("shopbot.accounts._NOBODY", bcrypt.hashpw(b"nobody", bcrypt.gensalt()))
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
        ("bob@x.example", PASSWORD, "customer", "", "customer_id"),
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


# ---------------------------------------------------------------- accounts


def test_an_account_is_the_session_that_its_owner_signs_in_to(people: Accounts) -> None:
    made = people.add(" Lea@X.Example", PASSWORD, "associate", "Lea")
    assert (made.email, made.role, made.name, made.customer_id) == ("lea@x.example", "associate", "Lea", None)
    assert people.session(people.sign_in("lea@x.example", PASSWORD)) == made
    assert people.count() == 2


@pytest.mark.parametrize("role", ROLES)
def test_customers_alone_are_no_staff_and_have_orders(role: Role, people: Accounts) -> None:
    made = people.add("lea@x.example", PASSWORD, role, "Lea", "C-1" if role == "customer" else None)
    assert (made.is_staff, made.customer_id) == ((False, "C-1") if role == "customer" else (True, None))


@pytest.mark.parametrize(
    ("password", "is_taken"),
    [
        ("", False), ("x" * 7, False), ("x" * 8, True), ("x" * 72, True), ("x" * 73, False),
        ("ä" * 36, True), ("ä" * 37, False),
    ],
)  # fmt: skip
def test_a_password_has_eight_characters_and_at_most_72_bytes(password: str, is_taken: bool, people: Accounts) -> None:
    if is_taken:
        people.add("lea@x.example", password, "agent", "Lea")
        assert people.sign_in("lea@x.example", password)
        return
    with pytest.raises(InputError) as wrong:
        people.add("lea@x.example", password, "agent", "Lea")
    assert wrong.value.field == "password"
    assert people.count() == 1


def test_a_hash_is_dear_to_guess_and_no_two_are_alike(engine: Engine, clock: Clock) -> None:
    made = Accounts(engine, "secret", clock)
    for email in ("lea@x.example", "bob@x.example"):
        made.add(email, PASSWORD, "agent", "Lea")
    with engine.connect() as connection:
        hashes = list(connection.scalars(select(accounts.c.password_hash)))
    assert len(set(hashes)) == 2
    for hashed in hashes:
        assert int(hashed.split("$")[2]) >= 12
        assert bcrypt.checkpw(PASSWORD.encode(), hashed.encode())


# ---------------------------------------------------------------- signing in


def refused(people: Accounts, email: str = "ada@x.example", password: str = "a short walk") -> str:
    with pytest.raises(SignInRefused) as error:
        people.sign_in(email, password)
    return str(error.value)


@pytest.mark.parametrize("password", ["", "A LONG WALK", f"{PASSWORD} ", PASSWORD[:-1], f"{PASSWORD}\0", "x" * 1000])
def test_a_password_is_right_or_wrong_and_never_nearly_right(password: str, people: Accounts) -> None:
    assert refused(people, password=password) == "e-mail or password is wrong"


def test_what_is_written_after_the_longest_password_counts(people: Accounts) -> None:
    people.add("lea@x.example", "x" * 72, "agent", "Lea")
    assert refused(people, "lea@x.example", "x" * 73) == "e-mail or password is wrong"


def test_the_password_of_nobody_opens_nothing(people: Accounts) -> None:
    assert refused(people, "bob@x.example", "nobody") == "e-mail or password is wrong"


def test_an_unknown_address_is_locked_like_a_known_one(people: Accounts) -> None:
    said = {email: [refused(people, email) for _ in range(MOST_FAILURES + 1)] for email in ("ada@x.example", "b@x")}
    assert said["ada@x.example"] == said["b@x"]
    assert len(set(said["b@x"])) == 2


def test_the_lock_is_one_addresses_however_it_is_written(people: Accounts) -> None:
    people.add("lea@x.example", PASSWORD, "agent", "Lea")
    for email in ("ada@x.example", "ADA@X.EXAMPLE", " ada@x.example", "Ada@x.example", "ada@x.example "):
        assert "wrong" in refused(people, email)
    assert "too many" in refused(people, "ada@x.example", PASSWORD)
    assert people.sign_in("lea@x.example", PASSWORD)


def test_the_lock_ends_after_five_minutes_and_not_before(people: Accounts, clock: Clock) -> None:
    for _ in range(MOST_FAILURES):
        refused(people)
    clock.now += timedelta(minutes=4, seconds=59)
    assert "too many" in refused(people, password=PASSWORD)
    clock.now += timedelta(seconds=1)
    assert people.session(people.sign_in("ada@x.example", PASSWORD)) is not None


def test_a_try_while_locked_does_not_make_the_lock_longer(people: Accounts, clock: Clock) -> None:
    for _ in range(MOST_FAILURES):
        refused(people)
    for _ in range(4):
        clock.now += timedelta(minutes=1)
        assert "too many" in refused(people)
    clock.now += timedelta(minutes=1)
    assert people.sign_in("ada@x.example", PASSWORD)


def test_after_a_right_password_the_wrong_ones_are_forgotten(people: Accounts) -> None:
    for _ in range(2):
        for _ in range(MOST_FAILURES - 1):
            refused(people)
        assert people.sign_in("ada@x.example", PASSWORD)


# ---------------------------------------------------------------- tokens


def test_of_a_token_no_beginning_and_no_change_is_worth_anything(people: Accounts) -> None:
    token = people.sign_in("ada@x.example", PASSWORD)
    assert [end for end in range(len(token)) if people.session(token[:end])] == []
    for place in range(len(token) - 1):  # of the last character two bits are of no account
        other = "A" if token[place] != "A" else "B"
        assert people.session(token[:place] + other + token[place + 1 :]) is None, place


def test_the_signature_of_one_token_is_none_for_another(people: Accounts) -> None:
    people.add("lea@x.example", PASSWORD, "agent", "Lea")
    ada, lea = (people.sign_in(email, PASSWORD).split(".") for email in ("ada@x.example", "lea@x.example"))
    assert people.session(".".join(lea)) is not None
    assert people.session(".".join([lea[0], *ada[1:]])) is None


def test_a_token_that_was_signed_for_something_else_is_no_session(
    people: Accounts, engine: Engine, clock: Clock
) -> None:
    made = people.session(people.sign_in("ada@x.example", PASSWORD))
    assert made is not None
    with engine.connect() as connection:
        stamp = connection.scalars(select(accounts.c.password_hash)).one()[-8:]
    for salt, is_session in (("shopbot-session", True), ("shopbot-reset", False)):
        token = URLSafeTimedSerializer("secret", salt=salt).dumps([made.account_id, stamp])
        assert (people.session(token) is not None) is is_session


@pytest.mark.parametrize("content", ["ada@x.example", [], ["id"], ["id", "stamp", "role"], {"role": "agent"}, None, 7])
def test_a_signed_token_of_another_form_is_no_session(content: object, people: Accounts) -> None:
    assert people.session(str(URLSafeTimedSerializer("secret", salt="shopbot-session").dumps(content))) is None


@pytest.mark.parametrize(("seconds", "is_open"), [(0, True), (1, False)])
def test_a_session_is_over_a_second_after_its_hours(
    seconds: int, is_open: bool, people: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: 1_780_000_000)
    token = people.sign_in("ada@x.example", PASSWORD)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: 1_780_000_000 + SESSION_HOURS * 3600 + seconds)
    assert (people.session(token) is not None) is is_open


def test_a_new_password_ends_the_sessions_of_its_own_account_and_opens_new_ones(
    people: Accounts, engine: Engine
) -> None:
    people.add("lea@x.example", PASSWORD, "agent", "Lea")
    ada, lea = (people.sign_in(email, PASSWORD) for email in ("ada@x.example", "lea@x.example"))
    hashed = bcrypt.hashpw(b"a longer walk", bcrypt.gensalt()).decode()
    with engine.begin() as connection:
        changed = update(accounts).where(accounts.c.email == "ada@x.example").values(password_hash=hashed)
        assert connection.execute(changed).rowcount == 1
    assert people.session(ada) is None
    assert people.session(lea) is not None
    assert "wrong" in refused(people, password=PASSWORD)
    assert people.session(people.sign_in("ada@x.example", "a longer walk")) is not None


def test_a_session_of_an_account_that_is_gone_is_nobodys(people: Accounts, engine: Engine) -> None:
    token = people.sign_in("ada@x.example", PASSWORD)
    with engine.begin() as connection:
        connection.execute(delete(accounts))
    assert people.session(token) is None


def test_a_session_has_the_role_of_now_and_not_of_the_sign_in(people: Accounts, engine: Engine) -> None:
    people.add("lea@x.example", PASSWORD, "agent", "Lea")
    token = people.sign_in("lea@x.example", PASSWORD)
    with engine.begin() as connection:
        connection.execute(update(accounts).where(accounts.c.email == "lea@x.example").values(role="associate"))
    session = people.session(token)
    assert session is not None
    assert session.role == "associate"


def test_sessions_outlive_the_process_that_has_opened_them(people: Accounts, engine: Engine, clock: Clock) -> None:
    token = people.sign_in("ada@x.example", PASSWORD)
    assert Accounts(engine, "secret", clock).session(token) == people.session(token)


# ---------------------------------------------------------------- the key


def test_the_key_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_secret(tmp_path / "home", None)
    finally:
        os.umask(before)
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["session.key"]
    assert stat.S_IMODE((tmp_path / "home" / "session.key").stat().st_mode) == 0o600


def test_a_key_that_is_there_is_kept_and_every_home_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "session.key").write_text("an older key")
    assert open_secret(tmp_path, None) == "an older key"
    assert open_secret(tmp_path / "a", None) != open_secret(tmp_path / "b", None)


def test_a_configured_key_is_taken_and_nothing_is_written(tmp_path: Path) -> None:
    assert open_secret(tmp_path / "home", "configured") == "configured"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_key_is_refused_for_everybody_could_sign_with_it(content: str, tmp_path: Path) -> None:
    (tmp_path / "session.key").write_text(content)
    with pytest.raises(ConfigError, match=r"session\.key is empty; delete it"):
        open_secret(tmp_path, None)


def test_a_key_that_cannot_be_read_or_written_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "a" / "session.key").mkdir(parents=True)
    (tmp_path / "b").write_text("a file where the home should be")
    for home in ("a", "b"):
        with pytest.raises(ConfigError, match="SHOPBOT_SESSION_KEY"):
            open_secret(tmp_path / home, None)


def test_password_and_sessions_of_a_demo_open_nothing_when_its_home_is_served_as_something_else(
    engine: Engine, clock: Clock
) -> None:
    demo = Accounts(engine, "secret", clock, is_demo=True)
    demo.add("lea@x.example", DEMO_PASSWORD, "agent", "Lea")
    token = demo.sign_in("lea@x.example", DEMO_PASSWORD)
    assert demo.session(token) is not None
    served = Accounts(engine, "secret", clock)
    assert served.session(token) is None
    assert refused(served, "lea@x.example", DEMO_PASSWORD) == "e-mail or password is wrong"
    with pytest.raises(InputError) as error:
        served.add("bob@x.example", DEMO_PASSWORD, "agent", "Bob")
    assert error.value.field == "password"
