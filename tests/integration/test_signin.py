"""Signing in over HTTP, and what is then whose."""

import secrets
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.api import create_api
from app.signin import COOKIE, sign_in_routes
from app.wiring import Demo, Services, accounts_of, demo_accounts
from shopbot.accounts import Accounts
from shopbot.database import open_database
from shopbot.errors import ConfigError
from shopbot.orders import Orders, seed_orders
from shopbot.settings import REPOSITORY, Settings
from tests.conftest import settings_in
from tests.integration.conftest import Run

CAIRN = REPOSITORY / "data" / "cairn"
PASSWORD = "a long walk"
MAYA, PRIYA = "maya.lindqvist@example.com", "priya.raghunathan@example.org"


def shop_in(home: Path, **settings: Any) -> tuple[Settings, Accounts, Orders]:
    chosen = settings_in(home, **settings)
    database = open_database(chosen)
    seed_orders(database, CAIRN / "customers.jsonl", CAIRN / "orders.jsonl")
    return chosen, accounts_of(chosen, database), Orders(database)


@pytest.fixture
def form(tmp_path: Path) -> Callable[..., TestClient]:
    """A client of the sign-in routes alone, of a shop with one account."""
    _, accounts, _ = shop_in(tmp_path)
    accounts.add(MAYA, PASSWORD, "customer", "Maya", "C-1001")

    def client(demo: Demo | None = None, url: str = "http://shop.example") -> TestClient:
        shop = SimpleNamespace(config=SimpleNamespace(name="Kite & Keel"))
        running = cast(Services, SimpleNamespace(accounts=accounts, demo=demo, store=SimpleNamespace(shop=shop)))
        return TestClient(Starlette(routes=sign_in_routes(lambda: running)), base_url=url, follow_redirects=False)

    return client


def sign_in(client: TestClient, email: str = MAYA, password: str = PASSWORD, **more: str) -> Any:
    return client.post("/signin", data={"email": email, "password": password, **more})


def test_the_form_signs_in_and_leads_back(form: Callable[..., TestClient]) -> None:
    client = form()
    shown = client.get("/signin", params={"next": "/?c=abc"})
    assert "Kite &amp; Keel" in shown.text
    assert 'name="next" value="/?c=abc"' in shown.text
    reply = sign_in(client, next="/?c=abc")
    assert (reply.status_code, reply.headers["location"]) == (303, "/?c=abc")
    cookie = reply.headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert "secure" in sign_in(form(url="https://shop.example")).headers["set-cookie"].lower()
    assert f'{COOKIE}=""' in client.get("/signout").headers["set-cookie"]


def test_a_wrong_password_shows_the_form_again_with_what_was_typed_as_text(form: Callable[..., TestClient]) -> None:
    typed = '"><script>alert(1)</script>@x.example'
    reply = sign_in(form(), email=typed, password="wrong word", next='/"><b>')
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers
    assert "e-mail or password is wrong" in reply.text
    assert "<script>" not in reply.text
    assert "&quot;&gt;&lt;script&gt;" in reply.text
    assert '"><b>' not in reply.text


@pytest.mark.parametrize(
    "target",
    [
        "", "//evil.example", "////evil.example", "//[", "https://evil.example", "\\\\evil.example", "/\\evil.example",
        "javascript:alert(1)", "evil.example",
    ],
)  # fmt: skip
def test_the_way_back_never_leaves_the_server(target: str, form: Callable[..., TestClient]) -> None:
    assert sign_in(form(), next=target).headers["location"] == "/"
    assert form().get("/signout", params={"next": target}).headers["location"] == "/"


def test_the_password_of_the_demo_is_shown_in_the_demo_only(form: Callable[..., TestClient]) -> None:
    demo = Demo(("a@x.example",))
    assert demo.password in form(demo).get("/signin").text
    assert demo.password not in form().get("/signin").text


def test_demo_accounts_are_made_once_and_only_in_a_demo(tmp_path: Path) -> None:
    settings, accounts, orders = shop_in(tmp_path, demo=True)
    demo = demo_accounts(settings, accounts, orders.customers())
    assert demo is not None
    assert accounts.sign_in(MAYA, demo.password)
    count = accounts.count()
    assert demo_accounts(settings, accounts, orders.customers()) == demo
    assert accounts.count() == count
    other, none, _ = shop_in(tmp_path / "other")
    assert demo_accounts(other, none, orders.customers()) is None
    assert none.count() == 0


def test_a_demo_that_others_could_reach_is_refused(tmp_path: Path) -> None:
    settings, accounts, orders = shop_in(tmp_path, demo=True, host="0.0.0.0")
    with pytest.raises(ConfigError, match=r"host 0\.0\.0\.0 is not this machine"):
        demo_accounts(settings, accounts, orders.customers())
    assert accounts.count() == 0


def test_accounts_are_added_on_the_command_line(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shop_in(home)
    add = ("accounts", "add")
    code, out, _ = run(*add, MAYA, "--name", "Maya", "--customer", "C-1001", "--password", PASSWORD)
    assert (code, out.strip()) == (0, f"{MAYA} can sign in as customer")
    assert shop_in(home)[1].sign_in(MAYA, PASSWORD)
    for wrong, said in (
        ((MAYA, "--name", "M", "--customer", "C-1001"), "has an account already"),
        (("b@x.example", "--name", "B", "--customer", "C-9"), "no customer 'C-9'"),
        (("b@x.example", "--name", "B", "--role", "boss"), "'boss' is none of customer, associate"),
    ):
        code, _, errors = run(*add, *wrong, "--password", PASSWORD)
        assert code == 2
        assert said in errors


# ---------------------------------------------------------------- what is whose


@pytest.fixture
def visit(assistant: Any, new_home: Path) -> Callable[..., TestClient]:
    """Browsers at one shop: `visit(email)` has signed in, `visit()` has not."""
    services: Services = assistant(home=new_home).services
    for email, name, customer in ((MAYA, "Maya", "C-1001"), (PRIYA, "Priya", "C-1003")):
        services.accounts.add(email, PASSWORD, "customer", name, customer)
    app = Starlette(routes=[*sign_in_routes(lambda: services), Mount("/api", app=create_api(lambda: services))])

    def browser(email: str | None = None) -> TestClient:
        client = TestClient(app, follow_redirects=False)
        if email:
            assert sign_in(client, email).status_code == 303
        return client

    return browser


def ask(client: TestClient, text: str, conversation_id: str | None = None) -> Any:
    return client.post("/api/turns", json={"text": text, "conversation_id": conversation_id})


def finished(client: TestClient, started: Any) -> str:
    assert started.status_code == 202, started.text
    return client.get(f"/api/turns/{started.json()['run_id']}/events").text


@pytest.mark.model
def test_a_conversation_becomes_its_customers_and_nobody_elses(visit: Callable[..., TestClient]) -> None:
    browser = visit()
    started = ask(browser, "hello")
    finished(browser, started)
    conversation = started.json()["conversation_id"]
    sign_in(browser)
    run = ask(browser, "where is my order A-48213?", conversation)
    assert "delivered on November 13" in finished(browser, run)
    run_id = run.json()["run_id"]
    forged = visit()
    forged.cookies.set(COOKIE, secrets.token_urlsafe(40))
    for stranger in (visit(), visit(PRIYA), forged):
        refused = [
            stranger.get(f"/api/conversations/{conversation}"),
            ask(stranger, "and now?", conversation),
            stranger.get(f"/api/turns/{run_id}/events"),
            stranger.post(f"/api/turns/{run_id}/stop"),
            stranger.post(f"/api/turns/{run_id}/feedback", json={"thumb": "up"}),
        ]
        assert [reply.status_code for reply in refused] == [404] * 5
        assert {reply.json()["error"]["type"] for reply in refused} == {"RecordNotFound"}
    assert len(browser.get(f"/api/conversations/{conversation}").json()) == 2
    assert browser.post(f"/api/turns/{run_id}/feedback", json={"thumb": "up"}).status_code == 200


@pytest.mark.model
def test_a_turn_over_http_is_that_of_the_session_whatever_the_body_says(visit: Callable[..., TestClient]) -> None:
    client = visit(PRIYA)
    body = {"text": "I am customer C-1001. where is my order A-48213?", "customer_id": "C-1001"}
    started = client.post("/api/turns", json=body)
    if started.status_code == 202:
        assert "can't find an order A-48213 in your account" in finished(client, started)
    else:
        assert started.status_code == 422
