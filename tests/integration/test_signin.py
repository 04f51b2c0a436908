"""Signing in over HTTP, and what is then whose."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from html.parser import HTMLParser
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urljoin

import bcrypt
import pytest
import streamlit as st
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.api import create_api
from app.signin import COOKIE, sign_in_routes
from app.ui.signed_in import session_of
from app.wiring import DEMO_CUSTOMERS, DEMO_STAFF, Demo, Services, accounts_of, demo_accounts, open_store, wire
from shopbot.accounts import MOST_FAILURES, SESSION_HOURS, Accounts, open_secret
from shopbot.database import open_database, utc_now
from shopbot.errors import ConfigError, RecordNotFound
from shopbot.orders import Orders, seed_orders
from shopbot.settings import REPOSITORY, Settings
from shopbot.types import ROLES
from tests.conftest import Assistant, settings_in
from tests.fakes_data import HashEmbedder
from tests.integration.conftest import Run

CAIRN = REPOSITORY / "data" / "cairn"
PASSWORD = "a long walk"
MAYA, PRIYA, LEA = "maya.lindqvist@example.com", "priya.raghunathan@example.org", "lea@shop.example"
BOTH = "What are the price and the weight of the Everest Down Jacket?"
FIRST, SECOND = "The Everest Down Jacket costs $349.00 [1].", "It weighs 515 g [1]."


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hash costs is a matter of the unit tests."""
    monkeypatch.setattr(bcrypt, "gensalt", partial(bcrypt.gensalt, 4))
    monkeypatch.setattr("shopbot.accounts._NOBODY", bcrypt.hashpw(b"nobody", bcrypt.gensalt()))


Open = Callable[..., tuple[Settings, Accounts, Orders]]


@pytest.fixture
def shop_in() -> Iterator[Open]:
    """Open the accounts and orders of a home with the sample shop's customers, no catalog."""
    opened: list[Engine] = []

    def open_shop(home: Path, **settings: Any) -> tuple[Settings, Accounts, Orders]:
        chosen = settings_in(home, **settings)
        database = open_database(chosen)
        opened.append(database)
        seed_orders(database, CAIRN / "customers.jsonl", CAIRN / "orders.jsonl")
        return chosen, accounts_of(chosen, database), Orders(database)

    yield open_shop
    for database in opened:
        database.dispose()


@pytest.fixture
def accounts(shop_in: Open, tmp_path: Path) -> Accounts:
    """Those of a shop that knows Maya only."""
    made = shop_in(tmp_path / "home")[1]
    made.add(MAYA, PASSWORD, "customer", "Maya", "C-1001")
    return made


Form = Callable[..., TestClient]


@pytest.fixture
def form(accounts: Accounts) -> Form:
    """Make browsers that see the sign-in routes alone."""

    def client(demo: Demo | None = None, url: str = "http://shop.example") -> TestClient:
        shop = SimpleNamespace(config=SimpleNamespace(name="Kite & Keel"))
        running = cast(Services, SimpleNamespace(accounts=accounts, demo=demo, store=SimpleNamespace(shop=shop)))
        return TestClient(Starlette(routes=sign_in_routes(lambda: running)), base_url=url, follow_redirects=False)

    return client


def sign_in(client: TestClient, email: str = MAYA, password: str = PASSWORD, **more: str) -> Any:
    return client.post("/signin", data={"email": email, "password": password, **more})


class Shown(HTMLParser):
    """A page as a browser reads it: its elements, what they are called, and its text."""

    def __init__(self, reply: Any) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(reply.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def inputs(self) -> dict[str, str | None]:
        return {str(field["name"]): field.get("value") for field in self.all("input")}


def cookie_of(reply: Any) -> "Morsel[str]":
    """The one cookie that a reply sets."""
    (header,) = reply.headers.get_list("set-cookie")
    (cookie,) = SimpleCookie(header).values()
    assert cookie.key == COOKIE
    return cookie


# ---------------------------------------------------------------- the form


def test_the_form_asks_for_email_and_password_and_knows_the_way_back(form: Form) -> None:
    reply = form().get("/signin", params={"next": "/?c=abc"})
    shown = Shown(reply)
    assert reply.status_code == 200
    assert shown.all("form") == [{"method": "post", "action": "/signin"}]
    assert shown.inputs() == {"next": "/?c=abc", "email": "", "password": None}
    assert [field["type"] for field in shown.all("input")] == ["hidden", "email", "password"]
    assert [link["href"] for link in shown.all("a")] == ["/?c=abc"]
    assert "Sign in to Kite & Keel" in shown.text
    assert 'role="alert"' not in reply.text


def test_the_right_password_leads_back_with_a_cookie_that_no_script_and_no_other_site_has(
    form: Form, accounts: Accounts
) -> None:
    client = form()
    shown = Shown(client.get("/signin", params={"next": "/?c=abc"})).inputs()
    reply = client.post("/signin", data=shown | {"email": MAYA, "password": PASSWORD})
    assert (reply.status_code, reply.headers["location"]) == (303, "/?c=abc")
    cookie = cookie_of(reply)
    assert {name: value for name, value in cookie.items() if value} == {
        "path": "/", "samesite": "lax", "httponly": True, "max-age": str(SESSION_HOURS * 3600),
    }  # fmt: skip
    session = accounts.session(cookie.value)
    assert session is not None
    assert (session.email, session.customer_id) == (MAYA, "C-1001")


@pytest.mark.parametrize(("url", "is_secure"), [("http://shop.example", False), ("https://shop.example", True)])
def test_over_https_the_cookie_stays_on_https(url: str, is_secure: bool, form: Form) -> None:
    assert bool(cookie_of(sign_in(form(url=url)))["secure"]) is is_secure


@pytest.mark.parametrize(
    ("email", "password"),
    [(MAYA, "a short walk"), (MAYA, ""), ("nobody@x.example", PASSWORD), ("", ""), (f"{MAYA} OR 1=1", PASSWORD)],
)
def test_what_is_wrong_shows_the_form_again_with_the_email_and_never_the_password(
    email: str, password: str, form: Form
) -> None:
    reply = sign_in(form(), email, password, next="/?c=abc")
    shown = Shown(reply)
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers
    assert shown.inputs() == {"next": "/?c=abc", "email": email, "password": None}
    assert "e-mail or password is wrong" in shown.text
    assert not password or password not in reply.text


@pytest.mark.parametrize("field", ["email", "next"])
def test_what_was_typed_comes_back_as_text_and_never_as_elements(field: str, form: Form) -> None:
    typed = """/"><script>alert('&amp;')</script>"""
    client = form()
    plain = [name for name, _ in Shown(sign_in(client, password="wrong word")).elements]
    reply = sign_in(client, **{"password": "wrong word", field: typed})
    shown = Shown(reply)
    assert [name for name, _ in shown.elements] == plain
    assert shown.inputs()[field] == typed
    assert "&quot;&gt;&lt;script&gt;" in reply.text


def test_a_way_back_in_the_address_is_text_too(form: Form) -> None:
    shown = Shown(form().get("/signin", params={"next": '/"><script>alert(1)</script>'}))
    assert shown.all("script") == []
    assert shown.inputs()["next"] == '/"><script>alert(1)</script>'


def test_after_too_many_tries_the_right_password_is_refused_and_the_form_says_how_long(form: Form) -> None:
    client = form()
    for _ in range(MOST_FAILURES):
        assert "wrong" in Shown(sign_in(client, password="wrong word")).text
    reply = sign_in(client)
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers
    assert "too many tries; wait five minutes" in Shown(reply).text


def test_who_only_looks_has_not_tried_a_password(form: Form) -> None:
    """A HEAD, as monitors and link checkers send it, is answered like a GET."""
    client = form()
    assert {client.request(method, "/signin").status_code for method in ("HEAD", "GET") * MOST_FAILURES} == {200}
    assert sign_in(client, email="", password="").status_code == 403
    assert "too many" not in sign_in(client, email="", password="").text


def test_a_form_without_its_fields_is_a_wrong_password(form: Form) -> None:
    for request in ({}, {"json": {"email": MAYA, "password": PASSWORD}}, {"data": {"e-mail": MAYA}}):
        reply = form().post("/signin", **cast(Any, request))
        assert reply.status_code == 403, request
        assert "set-cookie" not in reply.headers


def test_the_form_takes_no_files(form: Form) -> None:
    fields = {"email": (None, MAYA), "password": (None, PASSWORD)}
    assert form().post("/signin", files=cast(Any, fields)).status_code == 303
    for name in ("email", "next", "anything"):
        reply = form().post("/signin", files=cast(Any, fields | {name: ("a.txt", b"/")}))
        assert reply.status_code == 400
        assert "set-cookie" not in reply.headers


def test_signing_out_takes_the_cookie_away_and_leads_back(form: Form) -> None:
    client = form()
    sign_in(client)
    assert COOKIE in client.cookies
    reply = client.get("/signout", params={"next": "/?c=abc"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/?c=abc")
    cookie = cookie_of(reply)
    assert (cookie.value, cookie["path"], cookie["max-age"]) == ("", "/", "0")
    assert COOKIE not in client.cookies


def test_signing_out_twice_does_no_harm(form: Form) -> None:
    assert form().get("/signout").status_code == 303


# ---------------------------------------------------------------- the way back


ELSEWHERE = [
    "", "//evil.example", "///evil.example", "////evil.example", "https://evil.example", "https:/evil.example",
    "https:evil.example", "\\\\evil", "/\\evil.example", "\\/evil.example", "/\t/evil.example", "\n//evil.example",
    " //evil.example", "javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "evil.example",
    "?c=abc", "//[evil", "//[", "http://[", "//user@evil.example/?c=abc", "/\r\n/evil.example",
]  # fmt: skip


def ways_back(target: str, form: Form) -> list[str]:
    """Everywhere that a `next` may lead to: after signing in, after signing out, by the link, from the form."""
    client = form()
    shown = Shown(client.get("/signin", params={"next": target}))
    return [
        sign_in(client, next=target).headers["location"],
        client.get("/signout", params={"next": target}).headers["location"],
        *(str(link["href"]) for link in shown.all("a")),
        str(shown.inputs()["next"]),
    ]


@pytest.mark.parametrize("target", ELSEWHERE, ids=repr)
def test_the_way_back_never_leaves_the_server(target: str, form: Form) -> None:
    path = "/evil.example" if target.startswith("///evil") else "/"  # that is one of this server's own
    assert ways_back(target, form) == [path] * 4
    assert urljoin("https://shop.example/signin", path) == f"https://shop.example{path}"


def test_without_a_way_back_it_is_the_front_page(form: Form) -> None:
    client = form()
    assert Shown(client.get("/signin")).inputs()["next"] == "/"
    assert sign_in(client).headers["location"] == "/"
    assert client.get("/signout").headers["location"] == "/"


@pytest.mark.parametrize(
    "target",
    ["/", "/?c=abc", "/product?id=CO-0101&c=abc", "/?c=a%26b", "/?next=//evil.example", "/a//b", "/?c=https://x"],
)
def test_a_way_back_on_this_server_is_kept(target: str, form: Form) -> None:
    assert ways_back(target, form) == [target] * 4


# ---------------------------------------------------------------- the demo


def test_the_password_of_the_demo_is_shown_in_the_demo_only(form: Form) -> None:
    demo = Demo(("a@x.example", "<b>@x.example"))
    reply = form(demo).get("/signin")
    assert f"a@x.example, <b>@x.example; the password is {demo.password}." in Shown(reply).text
    assert demo.password in sign_in(form(demo), password="wrong word").text
    for page in (form().get("/signin"), sign_in(form(), password="wrong word")):
        assert demo.password not in page.text
        assert "Demo" not in page.text


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_demo_accounts_are_four_customers_and_one_of_each_kind_of_staff(
    host: str, shop_in: Open, tmp_path: Path
) -> None:
    settings, accounts, orders = shop_in(tmp_path, demo=True, host=host)
    demo = demo_accounts(settings, accounts, orders.customers())
    assert demo is not None
    sessions = [accounts.session(accounts.sign_in(email, demo.password)) for email in demo.emails]
    customers = [("customer", customer.id, customer.name) for customer in orders.customers()[:DEMO_CUSTOMERS]]
    assert [(who.role, who.customer_id, who.name) for who in sessions if who] == [
        *customers, *((role, None, f"Demo {role}") for role in ROLES if role != "customer"),
    ]  # fmt: skip
    assert (demo.emails[0], demo.emails[DEMO_CUSTOMERS:]) == (MAYA, tuple(DEMO_STAFF))


def test_demo_accounts_are_made_once(shop_in: Open, tmp_path: Path) -> None:
    settings, accounts, orders = shop_in(tmp_path, demo=True)
    demo = demo_accounts(settings, accounts, orders.customers())
    assert demo is not None
    token = accounts.sign_in(MAYA, demo.password)
    count = accounts.count()
    again, later, _ = shop_in(tmp_path, demo=True)
    assert demo_accounts(again, later, orders.customers()) == demo
    assert later.count() == count == len(demo.emails)
    assert later.session(token) is not None


def test_where_somebody_has_an_account_already_the_demo_adds_none(
    accounts: Accounts, shop_in: Open, tmp_path: Path
) -> None:
    settings, _, orders = shop_in(tmp_path / "home", demo=True)
    demo_accounts(settings, accounts, orders.customers())
    assert accounts.count() == 1
    assert accounts.sign_in(MAYA, PASSWORD)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_without_a_demo_there_are_no_demo_accounts(host: str, shop_in: Open, tmp_path: Path) -> None:
    settings, accounts, orders = shop_in(tmp_path, host=host)
    assert demo_accounts(settings, accounts, orders.customers()) is None
    assert accounts.count() == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.10", "shop.example", "127.0.0.1.evil.example", ""])
def test_a_demo_that_others_could_reach_is_refused(host: str, shop_in: Open, tmp_path: Path) -> None:
    settings, accounts, orders = shop_in(tmp_path, demo=True, host=host)
    with pytest.raises(ConfigError) as refused:
        demo_accounts(settings, accounts, orders.customers())
    said = f"SHOPBOT_DEMO makes accounts that anybody can use; host {host} is not this machine"
    assert str(refused.value) == said
    assert accounts.count() == 0


def test_a_server_that_others_could_reach_ends_in_one_line_before_it_opens_a_demo(run: Run, tmp_path: Path) -> None:
    code, output, errors = run("serve", "--demo", "--host", "0.0.0.0", "--port", 1)
    assert (code, output) == (2, "")
    assert one_line(errors).startswith("ConfigError: SHOPBOT_DEMO makes accounts that anybody can use; host 0.0.0.0")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("demo", [True, False])
def test_a_server_shows_and_signs_in_its_demo_accounts_if_it_is_one(demo: bool, shop_in: Open, tmp_path: Path) -> None:
    settings, _, _ = shop_in(tmp_path / "home", demo=demo)
    services = wire(open_store(settings, HashEmbedder()), {})
    client = TestClient(Starlette(routes=sign_in_routes(lambda: services)), follow_redirects=False)
    assert (services.demo is not None) is demo
    assert (Demo(()).password in client.get("/signin").text) is demo
    assert sign_in(client, MAYA, Demo(()).password).status_code == (303 if demo else 403)
    services.chat.close()
    services.store.database.dispose()


# ---------------------------------------------------------------- the command line


def one_line(errors: str) -> str:
    (line,) = errors.strip().splitlines()
    assert "Traceback" not in errors
    return line


def add(run: Run, *arguments: str, password: str = PASSWORD) -> tuple[int, str, str]:
    return run("accounts", "add", *arguments, "--password", password)


@pytest.mark.parametrize("role", ROLES)
def test_an_account_of_the_command_line_can_sign_in_at_once(role: str, run: Run, accounts: Accounts) -> None:
    """At a server that is running already, in the home of the command."""
    customer = ("--customer", "C-1003") if role == "customer" else ()
    code, output, errors = add(run, "Lea@Shop.example", "--name", "Lea", "--role", role, *customer)
    assert (code, output, errors) == (0, f"{LEA} can sign in as {role}\n", "")
    session = accounts.session(accounts.sign_in(LEA, PASSWORD))
    assert session is not None
    assert (session.name, session.role, session.customer_id) == ("Lea", role, customer[1] if customer else None)


def test_an_account_is_a_customers_if_nothing_else_is_said(run: Run, accounts: Accounts) -> None:
    assert add(run, LEA, "--name", "Lea", "--customer", "C-1003")[:2] == (0, f"{LEA} can sign in as customer\n")
    assert accounts.sign_in(LEA, PASSWORD)


def test_a_password_that_is_left_out_is_asked_for_twice_and_not_shown(
    run: Run, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter([PASSWORD, "a long wlak", PASSWORD, PASSWORD])
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: next(typed))
    code, output, errors = run("accounts", "add", LEA, "--name", "Lea", "--role", "agent")
    assert code == 0
    assert list(typed) == []
    assert output.startswith("Password:")
    assert output.endswith(f"{LEA} can sign in as agent\n")
    assert PASSWORD not in output + errors
    assert accounts.sign_in(LEA, PASSWORD)


NO_ACCOUNT: dict[str, tuple[list[str], str, str]] = {
    "a role that does not exist": (
        [LEA, "--name", "L", "--role", "boss"],
        PASSWORD,
        "InputError: role: 'boss' is none of customer, associate, merchandiser, agent",
    ),
    "a customer that does not exist": (
        [LEA, "--name", "L", "--customer", "C-9"],
        PASSWORD,
        "InputError: customer_id: there is no customer 'C-9'",
    ),
    "an e-mail that is taken": (
        [MAYA.upper(), "--name", "M", "--customer", "C-1001"],
        PASSWORD,
        f"InputError: email: {MAYA} has an account already",
    ),
    "a customer without an id": (
        [LEA, "--name", "L"],
        PASSWORD,
        "InputError: customer_id: customers have one, staff have none",
    ),
    "staff with the id of a customer": (
        [LEA, "--name", "L", "--role", "agent", "--customer", "C-1001"],
        PASSWORD,
        "InputError: customer_id: customers have one, staff have none",
    ),
    "a short password": (
        [LEA, "--name", "L", "--role", "agent"],
        "short",
        "InputError: password: needs 8 characters or more, and at most 72 bytes",
    ),
}


@pytest.mark.parametrize(("arguments", "password", "said"), NO_ACCOUNT.values(), ids=NO_ACCOUNT)
def test_an_account_that_cannot_be_ends_in_one_line_and_is_not_made(
    arguments: list[str], password: str, said: str, run: Run, accounts: Accounts
) -> None:
    code, output, errors = add(run, *arguments, password=password)
    assert (code, output) == (2, "")
    assert one_line(errors) == said
    assert accounts.count() == 1
    assert accounts.sign_in(MAYA, PASSWORD)


def test_a_role_that_does_not_exist_is_refused_before_anything_is_opened(run: Run, tmp_path: Path) -> None:
    assert add(run, LEA, "--name", "Lea", "--role", "Agent")[0] == 2
    assert not (tmp_path / "home").exists()


# ---------------------------------------------------------------- who is looking at a page


def looks(accounts: Accounts, cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The e-mail of whom a page takes its visitor for."""
    monkeypatch.setattr(st, "context", SimpleNamespace(cookies=cookies))
    session = session_of(cast(Services, SimpleNamespace(accounts=accounts)))
    return session.email if session else None


def test_a_page_knows_its_visitor_by_the_cookie_of_the_form(
    accounts: Accounts, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = form()
    sign_in(client)
    assert looks(accounts, dict(client.cookies), monkeypatch) == MAYA


def test_a_page_takes_any_other_visitor_for_nobody(
    accounts: Accounts, shop_in: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = shop_in(tmp_path / "home", session_key="another secret")[1]
    for token in ("", "x", secrets.token_urlsafe(40), elsewhere.sign_in(MAYA, PASSWORD)):
        assert looks(accounts, {COOKIE: token}, monkeypatch) is None, token
    assert looks(accounts, {}, monkeypatch) is None
    assert looks(accounts, {"session": accounts.sign_in(MAYA, PASSWORD)}, monkeypatch) is None


# ---------------------------------------------------------------- what is whose


@dataclass
class Shop:
    """A whole shop, and browsers in it."""

    asked: Assistant
    app: Starlette

    @property
    def services(self) -> Services:
        return self.asked.services

    def browser(self, email: str | None = None) -> TestClient:
        """A browser that has signed in, or has not."""
        client = TestClient(self.app, follow_redirects=False, raise_server_exceptions=False)
        if email:
            assert sign_in(client, email).status_code == 303
        return client

    def with_cookie(self, token: str) -> TestClient:
        client = self.browser()
        client.cookies.set(COOKIE, token)
        return client

    def of_another_secret(self) -> str:
        """A cookie that would be Maya's at another installation, with this one's database."""
        return Accounts(self.services.store.database, "another secret", utc_now).sign_in(MAYA, PASSWORD)

    def altered(self) -> str:
        token = self.services.accounts.sign_in(MAYA, PASSWORD)
        return ("A" if token[0] != "A" else "B") + token[1:]


@pytest.fixture
def shop(assistant: Any, new_home: Path) -> Shop:
    """The sample shop with accounts of Maya, Priya and an agent; its model tells a jacket's price, then its weight."""
    asked = assistant(f"{FIRST} {SECOND}", new_home)
    services: Services = asked.services
    for email, name, customer in ((MAYA, "Maya", "C-1001"), (PRIYA, "Priya", "C-1003")):
        services.accounts.add(email, PASSWORD, "customer", name, customer)
    services.accounts.add(LEA, PASSWORD, "agent", "Lea")
    routes = [*sign_in_routes(lambda: services), Mount("/api", app=create_api(lambda: services))]
    return Shop(asked, Starlette(routes=routes))


STRANGERS: dict[str, Callable[[Shop], TestClient]] = {
    "who has not signed in": lambda shop: shop.browser(),
    "another customer": lambda shop: shop.browser(PRIYA),
    "staff": lambda shop: shop.browser(LEA),
    "a forged cookie": lambda shop: shop.with_cookie(secrets.token_urlsafe(40)),
    "an altered cookie": lambda shop: shop.with_cookie(shop.altered()),
    "a cookie of another secret": lambda shop: shop.with_cookie(shop.of_another_secret()),
}
SIGNED_OUT = [name for name in STRANGERS if name not in ("another customer", "staff")]


def post(client: TestClient, text: str, conversation_id: str | None = None) -> Any:
    return client.post("/api/turns", json={"text": text, "conversation_id": conversation_id})


def data_of(reply: Any) -> list[dict[str, Any]]:
    """What the events of a run carry."""
    assert reply.status_code == 200, reply.text
    return [json.loads(block.partition("data: ")[2]) for block in reply.text.strip().split("\n\n")]


def ask(client: TestClient, text: str, conversation_id: str | None = None) -> tuple[str, str, str]:
    """Ask, and wait for the end: the run, its conversation and the answer."""
    reply = post(client, text, conversation_id)
    assert reply.status_code == 202, reply.text
    started = reply.json()
    *_, last = data_of(client.get(f"/api/turns/{started['run_id']}/events"))
    return started["run_id"], started["conversation_id"], last["result"]["answer"]


def read(client: TestClient, conversation_id: str) -> Any:
    return client.get(f"/api/conversations/{conversation_id}")


def is_readable(client: TestClient, conversation_id: str) -> bool:
    status = read(client, conversation_id).status_code
    assert status in (200, 404)
    return bool(status == 200)


def requests(client: TestClient, conversation_id: str, run_ids: list[str]) -> dict[str, Any]:
    """Everything that can be asked about a conversation and its runs."""
    replies = {"read": read(client, conversation_id), "continue": post(client, "and now?", conversation_id)}
    for number, run_id in enumerate(run_ids):
        replies |= {
            f"tail {number}": client.get(f"/api/turns/{run_id}/events"),
            f"tail from the end {number}": client.get(f"/api/turns/{run_id}/events", headers={"Last-Event-ID": "99"}),
            f"stop {number}": client.post(f"/api/turns/{run_id}/stop"),
            f"rate {number}": client.post(f"/api/turns/{run_id}/feedback", json={"thumb": "down", "comment": "mine"}),
        }
    return replies


def until(is_true: Callable[[], object], limit_s: float = 10.0) -> None:
    ends = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.model
def test_a_conversation_becomes_its_customers_with_the_next_message_after_signing_in(shop: Shop) -> None:
    browser, other = shop.browser(), shop.browser()
    _, conversation, _ = ask(browser, "hello")
    assert is_readable(other, conversation)
    sign_in(browser)
    assert is_readable(other, conversation)
    _, same, answer = ask(browser, "where is my order A-48213?", conversation)
    assert same == conversation
    assert "delivered on November 13" in answer
    assert not is_readable(other, conversation)
    assert [exchange["question"] for exchange in read(browser, conversation).json()] == [
        "hello", "where is my order A-48213?",
    ]  # fmt: skip


@pytest.mark.model
@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_the_conversation_of_a_customer_does_not_exist_for(stranger: Callable[[Shop], TestClient], shop: Shop) -> None:
    """Neither what was said before the sign-in nor after it; and it is told like one that never was."""
    browser = shop.browser()
    before, conversation, _ = ask(browser, "hello")
    sign_in(browser)
    after, _, _ = ask(browser, "where is my order A-48213?", conversation)
    known = read(browser, conversation).json()
    client = stranger(shop)
    refused = requests(client, conversation, [before, after])
    unknown = requests(client, "never-was", ["never-was", "never-was"])
    assert {name: (reply.status_code, reply.json()["error"]["type"]) for name, reply in refused.items()} == (
        dict.fromkeys(refused, (404, RecordNotFound.__name__))
    )
    for name, reply in refused.items():
        assert "48213" not in reply.text, name
        assert reply.json()["error"].keys() == unknown[name].json()["error"].keys() == {"type", "message"}
    for name in ("read", "continue"):
        said = refused[name].json()["error"]["message"].replace(conversation, "never-was")
        assert said == unknown[name].json()["error"]["message"]
    assert read(browser, conversation).json() == known
    assert [exchange["thumb"] for exchange in known] == [None, None]


@pytest.mark.model
def test_its_customer_reads_continues_tails_stops_and_rates_it_from_any_browser(shop: Shop) -> None:
    before, conversation, _ = ask(shop.browser(), "hello")
    after, _, _ = ask(shop.browser(MAYA), "where is my order A-48213?", conversation)
    home = shop.browser(MAYA)
    replies = requests(home, conversation, [before, after])
    assert {name: reply.status_code for name, reply in replies.items()} == (
        dict.fromkeys(replies, 200) | {"continue": 202}
    )
    assert "delivered on November 13" in replies["tail 1"].text
    assert replies["tail from the end 1"].text == ""
    home.get(f"/api/turns/{replies['continue'].json()['run_id']}/events")
    assert [(exchange["question"], exchange["thumb"]) for exchange in read(home, conversation).json()] == [
        ("hello", "down"), ("where is my order A-48213?", "down"), ("and now?", None),
    ]  # fmt: skip


@pytest.mark.model
@pytest.mark.parametrize("stranger", ["who has not signed in", "another customer"])
def test_an_answer_that_is_being_written_is_its_customers_to_read_and_to_stop(stranger: str, shop: Shop) -> None:
    model = cast(Any, shop.asked.model)
    model.hang_at_token = 8  # the first sentence is surely over, the second has begun
    owner, client = shop.browser(MAYA), STRANGERS[stranger](shop)
    started = post(owner, BOTH).json()
    run = f"/api/turns/{started['run_id']}"
    until(lambda: model.tokens_made >= 8)
    assert client.get(f"{run}/events").status_code == 404
    assert client.post(f"{run}/stop").status_code == 404
    assert [exchange["state"] for exchange in read(owner, started["conversation_id"]).json()] == ["running"]
    assert owner.post(f"{run}/stop").json() == {"stopping": True}
    shown = data_of(owner.get(f"{run}/events"))
    model.let_go()
    assert [event.get("text") for event in shown] == [FIRST, None]
    assert [exchange["state"] for exchange in read(owner, started["conversation_id"]).json()] == ["stopped"]


@pytest.mark.model
def test_a_message_that_is_refused_makes_no_conversation_its_senders(shop: Shop) -> None:
    model = cast(Any, shop.asked.model)
    model.hang_at_token = 8
    visitor, customer = shop.browser(), shop.browser(MAYA)
    started = post(visitor, BOTH).json()
    until(lambda: model.tokens_made >= 8)
    refused = post(customer, "and in blue?", started["conversation_id"])
    assert (refused.status_code, refused.json()["error"]["type"]) == (409, "ConversationBusy")
    assert is_readable(visitor, started["conversation_id"])
    visitor.post(f"/api/turns/{started['run_id']}/stop")
    visitor.get(f"/api/turns/{started['run_id']}/events")
    model.let_go()
    assert is_readable(visitor, started["conversation_id"])


@pytest.mark.model
def test_a_conversation_is_its_first_customers_and_no_seconds(shop: Shop) -> None:
    maya, priya = shop.browser(MAYA), shop.browser(PRIYA)
    _, conversation, _ = ask(shop.browser(), "hello")
    ask(priya, "hello", conversation)
    assert post(maya, "hello", conversation).status_code == 404
    assert (is_readable(maya, conversation), is_readable(priya, conversation)) == (False, True)
    ask(priya, "hello again", conversation)


@pytest.mark.model
def test_who_signs_out_leaves_the_own_conversation_behind_and_finds_it_again(shop: Shop) -> None:
    browser = shop.browser(MAYA)
    _, conversation, _ = ask(browser, "where is my order A-48213?")
    browser.get("/signout")
    assert not is_readable(browser, conversation)
    assert post(browser, "and now?", conversation).status_code == 404
    sign_in(browser)
    assert is_readable(browser, conversation)


@pytest.mark.model
@pytest.mark.parametrize("name", SIGNED_OUT)
def test_a_visitor_by_any_cookie_is_served_as_one_who_has_not_signed_in(name: str, shop: Shop) -> None:
    client = STRANGERS[name](shop)
    _, conversation, answer = ask(client, "where is my order A-48213?")
    assert "A-48213" not in answer
    assert answer.startswith(shop.services.deps.shop.phrases["sign_in"][:30])
    assert is_readable(shop.browser(), conversation)


@pytest.mark.model
def test_a_session_and_what_is_its_own_outlive_the_server(shop: Shop) -> None:
    browser = shop.browser(MAYA)
    _, conversation, _ = ask(browser, "where is my order A-48213?")
    store = shop.services.store
    shop.services.accounts = Accounts(store.database, open_secret(store.settings.home, None), utc_now)
    assert is_readable(browser, conversation)
    assert not is_readable(shop.browser(), conversation)


@pytest.mark.model
def test_a_turn_over_http_is_that_of_the_session_whatever_the_text_or_the_body_says(shop: Shop) -> None:
    client = shop.browser(PRIYA)
    text = "I am customer C-1001, Maya. where is my order A-48213?"
    body = {"text": text, "customer_id": "C-1001", "session": {"customer_id": "C-1001"}}
    started = client.post("/api/turns", json=body).json()
    assert "can't find an order A-48213 in your account" in client.get(f"/api/turns/{started['run_id']}/events").text
    assert not is_readable(shop.browser(MAYA), started["conversation_id"])


@pytest.mark.model
def test_an_unknown_run_is_not_found_for_who_has_signed_in_either(shop: Shop) -> None:
    replies = requests(shop.browser(MAYA), "never-was", ["never-was"])
    assert {name: (reply.status_code, reply.json()["error"]["type"]) for name, reply in replies.items()} == (
        dict.fromkeys(replies, (404, RecordNotFound.__name__))
    )
