"""The HTTP API as a client sees it: status codes, one shape of errors, events that can be picked up again."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api import create_api
from app.wiring import Services
from shopbot.settings import Settings

pytestmark = pytest.mark.model

EVEREST = "CO-0101"
PRICE = "How much is the Everest Down Jacket?"
TOKEN = "a-token-of-the-operator"


def client_of(services: Services) -> TestClient:
    return TestClient(create_api(lambda: services), raise_server_exceptions=False)


@pytest.fixture
def client(assistant: Any) -> TestClient:
    return client_of(assistant().services)


def start(client: TestClient, text: str, **more: Any) -> dict[str, str]:
    reply = client.post("/turns", json={"text": text, **more})
    assert reply.status_code == 202, reply.text
    started: dict[str, str] = reply.json()
    assert started.keys() == {"run_id", "conversation_id"}
    return started


Event = tuple[int, str, dict[str, Any]]


def parsed(stream: str) -> Iterator[Event]:
    """Read server-sent events as the standard has it: fields until a blank line."""
    for block in stream.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        yield int(fields["id"]), fields["event"], json.loads(fields["data"])


def events(client: TestClient, run_id: str, **request: Any) -> list[Event]:
    reply = client.get(f"/turns/{run_id}/events", **request)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/event-stream")
    return list(parsed(reply.text)) if reply.text else []


def error_of(reply: Any, status: int) -> dict[str, Any]:
    """The one shape of errors: {"error": {"type", "message", ...}}."""
    assert reply.status_code == status, reply.text
    assert reply.json().keys() == {"error"}
    error: dict[str, Any] = reply.json()["error"]
    assert error.keys() >= {"type", "message"}
    return error


def until(is_true: Callable[[], object], limit_s: float = 10.0) -> None:
    ends = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)


# ---------------------------------------------------------------- turns


def test_a_turn_streams_its_sentences_and_ends_with_the_result(client: TestClient) -> None:
    seen = events(client, start(client, PRICE)["run_id"])
    assert [number for number, _, _ in seen] == list(range(1, len(seen) + 1))
    assert [kind for _, kind, _ in seen] == ["sentence", "done"]
    assert seen[0][2]["text"] == "The Everest Down Jacket costs $349.00 [1]."
    assert seen[0][2]["citations"][0]["id"] == EVEREST
    assert seen[1][2]["result"]["answer"] == seen[0][2]["text"]
    assert [event["kind"] for _, _, event in seen] == ["sentence", "done"]


LIE = "Today a bargain, it goes for $199.00 [1]."


def test_of_a_wrong_third_sentence_nothing_reaches_the_client_in_any_event(assistant: Any) -> None:
    """Two sentences, then the correction from the record; the lie is in no event, whole or in part, nor in what a page
    reads again."""
    asked = assistant(f"The Everest Down Jacket weighs 515 g [1]. It has a warranty of lifetime [1]. {LIE}")
    asked.model.token_delay_s = 0.01
    client = client_of(asked.services)
    started = start(client, "Weight, warranty and price of the Everest Down Jacket?")
    stream = client.get(f"/turns/{started['run_id']}/events").text
    again = client.get(f"/conversations/{started['conversation_id']}").text
    shown = [event["text"] for _, kind, event in parsed(stream) if kind == "sentence"]
    assert shown == [
        "The Everest Down Jacket weighs 515 g [1].",
        "It has a warranty of lifetime [1].",
        "The Everest Down Jacket costs $349.00 [2].",
    ]
    result = list(parsed(stream))[-1][2]["result"]
    assert (result["answer"], result["verdict"]) == (" ".join(shown), "repaired")
    for word in ("199", "Today", "bargain", "goes for"):
        assert word not in stream + again
    assert len(asked.model.calls) == 2  # the lie was written, and so was a second draft of what it left open


@pytest.mark.parametrize("after", [0, 1, 2, 99])
def test_a_lost_connection_goes_on_after_the_last_event_it_had(after: int, client: TestClient) -> None:
    run_id = start(client, PRICE)["run_id"]
    everything = events(client, run_id)
    rest = everything[after:]
    assert events(client, run_id, headers={"Last-Event-ID": str(after)}) == rest
    assert events(client, run_id, params={"after": after}) == rest


def test_a_follow_up_in_the_same_conversation_knows_what_was_said(client: TestClient) -> None:
    first = start(client, PRICE)
    events(client, first["run_id"])
    second = start(client, "Does it come in blue?", conversation_id=first["conversation_id"])
    assert second["conversation_id"] == first["conversation_id"]
    *_, (_, _, done) = events(client, second["run_id"])
    assert "Ink Blue" in done["result"]["answer"]


def test_a_new_conversation_knows_nothing_of_another(client: TestClient) -> None:
    events(client, start(client, PRICE)["run_id"])
    *_, (_, _, done) = events(client, start(client, "Does it come in blue?")["run_id"])
    assert EVEREST not in done["result"]["product_ids"] or "Everest" not in done["result"]["answer"]


def test_a_stopped_turn_keeps_what_was_shown(assistant: Any) -> None:
    asked = assistant("The Everest Down Jacket costs $349.00 [1]. It weighs 515 g [1].")
    asked.model.hang_at_token = 8  # the first sentence is surely over, the second has begun
    client = client_of(asked.services)
    started = start(client, "What are the price and the weight of the Everest Down Jacket?")
    until(lambda: asked.model.tokens_made >= 8)
    assert client.post(f"/turns/{started['run_id']}/stop").json() == {"stopping": True}
    seen = events(client, started["run_id"])
    asked.model.let_go()
    assert [event.get("text") for _, _, event in seen] == ["The Everest Down Jacket costs $349.00 [1].", None]
    assert seen[-1][2]["result"]["stopped"] is True
    (exchange,) = client.get(f"/conversations/{started['conversation_id']}").json()
    assert exchange["state"] == "stopped"


def test_stopping_a_finished_turn_changes_nothing(client: TestClient) -> None:
    started = start(client, PRICE)
    before = events(client, started["run_id"])
    assert client.post(f"/turns/{started['run_id']}/stop").status_code == 200
    assert events(client, started["run_id"]) == before
    assert client.get(f"/conversations/{started['conversation_id']}").json()[0]["state"] == "done"


def test_a_second_question_waits_until_the_first_is_answered(assistant: Any) -> None:
    asked = assistant("The Everest Down Jacket costs $349.00 [1].")
    asked.model.hang_at_token = 0
    client = client_of(asked.services)
    first = start(client, PRICE)
    reply = client.post("/turns", json={"text": "And the vest?", "conversation_id": first["conversation_id"]})
    error = error_of(reply, 409)
    assert error["type"] == "ConversationBusy"
    assert int(reply.headers["retry-after"]) > 0
    assert "still being written" in error["message"]
    asked.model.let_go()
    events(client, first["run_id"])
    start(client, "And the vest?", conversation_id=first["conversation_id"])


def test_a_question_that_is_refused_is_an_answer_too(client: TestClient) -> None:
    *_, (_, kind, done) = events(client, start(client, "")["run_id"])
    assert kind == "done"
    assert done["result"]["verdict"] == "refused"


@pytest.mark.parametrize("arm", ["tuned", "best"])
def test_an_arm_that_does_not_exist_is_said_not_to(arm: str, client: TestClient) -> None:
    reply = client.post("/turns", json={"text": PRICE, "arm": arm})
    assert error_of(reply, 422)["field"] == "arm"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": 5}, "text"),
        ({"text": "x" * 100_001}, "text"),
        ({"text": "hi", "conversation_id": 5}, "conversation_id"),
    ],
)
def test_a_malformed_turn_names_its_field(body: dict[str, Any], field: str, client: TestClient) -> None:
    error = error_of(client.post("/turns", json=body), 422)
    assert (error["type"], error["field"]) == ("InputError", field)


@pytest.mark.parametrize("body", [b"{", b'"text"', b"\xff\xfe", b'{"text": "\\ud800"}', b'{"text": "a\\u0000b"}'])
def test_no_body_whatsoever_is_an_error_of_the_server(body: bytes, client: TestClient) -> None:
    reply = client.post("/turns", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code in (202, 422), reply.text


# ---------------------------------------------------------------- conversations and thumbs


def test_a_conversation_is_read_back_oldest_first(client: TestClient) -> None:
    first = start(client, PRICE)
    events(client, first["run_id"])
    second = start(client, "Does it come in blue?", conversation_id=first["conversation_id"])
    events(client, second["run_id"])
    history = client.get(f"/conversations/{first['conversation_id']}").json()
    assert [exchange["run_id"] for exchange in history] == [first["run_id"], second["run_id"]]
    assert [exchange["question"] for exchange in history] == [PRICE, "Does it come in blue?"]
    assert [exchange["state"] for exchange in history] == ["done", "done"]
    assert history[0]["result"]["answer"] == "The Everest Down Jacket costs $349.00 [1]."
    assert history[0].keys() == {"run_id", "question", "state", "thumb", "result"}


def test_a_second_thumb_replaces_the_first(client: TestClient) -> None:
    started = start(client, PRICE)
    events(client, started["run_id"])

    def thumb() -> str | None:
        found: str | None = client.get(f"/conversations/{started['conversation_id']}").json()[0]["thumb"]
        return found

    assert thumb() is None
    for given in ("up", "down", "up"):
        reply = client.post(f"/turns/{started['run_id']}/feedback", json={"thumb": given, "comment": "because"})
        assert reply.json() == {"kept": True}
        assert thumb() == given
    assert len(client.get(f"/conversations/{started['conversation_id']}").json()) == 1


@pytest.mark.parametrize("body", [{}, {"thumb": "sideways"}, {"thumb": "up", "comment": "x" * 2001}])
def test_a_thumb_is_up_or_down(body: dict[str, Any], client: TestClient) -> None:
    started = start(client, PRICE)
    error_of(client.post(f"/turns/{started['run_id']}/feedback", json=body), 422)
    events(client, started["run_id"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/turns/nobody/events", None),
        ("POST", "/turns/nobody/stop", None),
        ("POST", "/turns/nobody/feedback", {"thumb": "up"}),
        ("GET", "/conversations/nobody", None),
        ("POST", "/turns", {"text": "hi", "conversation_id": "nobody"}),
        ("GET", "/products/nobody", None),
        ("GET", "/pictures/nobody.svg", None),
        ("GET", "/pictures/..%2F..%2Fshop.svg", None),
    ],
)
def test_what_does_not_exist_is_not_found(method: str, path: str, body: Any, client: TestClient) -> None:
    reply = client.request(method, path, json=body)
    assert reply.status_code == 404
    if "%2F" not in path:  # such a path never reaches us
        error = error_of(reply, 404)
        assert error["type"] == "RecordNotFound"
        assert "nobody" in error["message"]


# ---------------------------------------------------------------- the catalog


def test_a_search_returns_titles_best_first(client: TestClient) -> None:
    found = client.get("/search", params={"q": "everest down jacket", "k": 5}).json()
    assert found[0]["id"] == EVEREST
    assert found[0]["title"] == "Everest Down Jacket"
    assert [hit["score"] for hit in found] == sorted((hit["score"] for hit in found), reverse=True)
    assert len(found) == 5


@pytest.mark.parametrize("params", [{}, {"q": "x", "k": 0}, {"q": "x", "k": 101}, {"q": "x" * 2001}])
def test_a_search_out_of_bounds_is_refused(params: dict[str, Any], client: TestClient) -> None:
    error_of(client.get("/search", params=params), 422)


def test_a_product_comes_with_its_live_facts(client: TestClient) -> None:
    found = client.get(f"/products/{EVEREST}").json()
    assert found.keys() == {"product", "facts"}
    assert found["product"]["title"] == "Everest Down Jacket"
    assert found["facts"]["own"]["price_minor"] == 34900
    assert found["facts"]["variants"]["CO-0101-L-EMB"]["stock"] == 0


def test_a_picture_is_a_drawing_that_runs_no_script(client: TestClient) -> None:
    reply = client.get(f"/pictures/{EVEREST}.svg")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("image/svg+xml")
    assert reply.headers["content-security-policy"] == "script-src 'none'"
    assert reply.text.lstrip().startswith("<svg")
    assert "<script" not in reply.text


# ---------------------------------------------------------------- live facts


@pytest.fixture
def till(assistant: Any, new_home: Path) -> TestClient:
    return client_of(assistant(home=new_home, settings={"facts_token": TOKEN}).services)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def price_minor(client: TestClient) -> int:
    (facts,) = client.get("/facts", params={"id": EVEREST}).json()
    found: int = facts["own"]["price_minor"]
    return found


def test_facts_are_read_by_id_and_unknown_ones_are_left_out(client: TestClient) -> None:
    found = client.get("/facts", params={"id": [EVEREST, "nobody", "CO-0102"]}).json()
    assert {facts["own"]["article_id"] for facts in found} == {EVEREST, "CO-0102"}
    assert client.get("/facts", params={"id": ["x"] * 101}).status_code == 422


def test_facts_set_with_the_token_are_in_the_next_answer(till: TestClient) -> None:
    body = f'{{"id": "{EVEREST}", "price": 359.5}}\n{{"id": "CO-0102", "price": 199}}\n'
    reply = till.post("/facts", content=body, headers=bearer(TOKEN))
    assert (reply.status_code, reply.json()) == (200, {"applied": 2, "ignored_older": 0})
    assert price_minor(till) == 35950
    *_, (_, _, done) = events(till, start(till, PRICE)["run_id"])
    assert done["result"]["answer"] == "The Everest Down Jacket costs $359.50 [1]."


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("wrong"),
        bearer(""),
        bearer(TOKEN + "x"),
        bearer(TOKEN[:-1]),
        {"Authorization": TOKEN},
        {"Authorization": "Bearer ünïcödé".encode("latin-1")},
    ],
)
def test_facts_are_not_set_without_the_token(headers: dict[str, Any], till: TestClient) -> None:
    before = price_minor(till)
    reply = till.post("/facts", content=f'{{"id": "{EVEREST}", "price": 1}}', headers=headers)
    assert error_of(reply, 401)["type"] == "Unauthorized"
    assert TOKEN not in reply.text
    assert price_minor(till) == before


@pytest.mark.parametrize("token", ["", "None", "Bearer"])
def test_without_a_token_in_the_settings_nobody_sets_facts(token: str, assistant: Any, new_home: Path) -> None:
    client = client_of(assistant(home=new_home).services)
    assert Settings.model_fields["facts_token"].default is None
    error_of(client.post("/facts", content=f'{{"id": "{EVEREST}", "price": 1}}', headers=bearer(token)), 401)
    assert price_minor(client) == 34900


def test_wrong_rows_are_all_listed_and_none_is_applied(till: TestClient) -> None:
    rows = [
        f'{{"id": "{EVEREST}", "price": 1}}',
        '{"id": "nobody", "price": 1}',
        f'{{"id": "{EVEREST}", "price": -5}}',
        "not json",
        f'{{"id": "{EVEREST}", "sku": "nobody", "stock": 1}}',
    ]
    error = error_of(till.post("/facts", content="\n".join(rows), headers=bearer(TOKEN)), 422)
    assert error["type"] == "FeedError"
    assert [(row["line"], row["field"]) for row in error["rows"]] == [(2, "id"), (3, "price"), (4, "row"), (5, "sku")]
    assert error["rows"][0].keys() == {"line", "field", "value", "reason", "remedy"}
    assert price_minor(till) == 34900


@pytest.mark.parametrize("body", [b"\xff\xfe", b"\x00", b"[" * 50_000, b"null", b"1e999"])
def test_no_facts_whatsoever_are_an_error_of_the_server(body: bytes, till: TestClient) -> None:
    error_of(till.post("/facts", content=body, headers=bearer(TOKEN)), 422)
    assert price_minor(till) == 34900


# ---------------------------------------------------------------- health


def test_a_healthy_assistant_says_what_it_runs_on(client: TestClient) -> None:
    reply = client.get("/health")
    assert reply.status_code == 200
    health = reply.json()
    assert (health["status"], health["reasons"]) == ("ok", [])
    assert health["catalog"]["products"] == 244
    assert health["catalog"]["sections"] > 0
    assert health["model"] == {
        "arm": "base",
        "name": "fake",
        "engine": "openvino",
        "fingerprint": "000000000000",
        "running": 0,
        "waiting": 0,
    }


def test_with_a_failing_model_it_is_degraded_and_says_why(assistant: Any) -> None:
    asked = assistant(PRICE)
    asked.model.error = RuntimeError("CUDA out of memory")
    client = client_of(asked.services)
    *_, (_, _, done) = events(client, start(client, PRICE)["run_id"])
    assert "$349.00" in done["result"]["answer"]
    reply = client.get("/health")
    assert reply.status_code == 200
    assert reply.json()["status"] == "degraded"
    assert reply.json()["reasons"] == ["model: RuntimeError: CUDA out of memory"]


def test_without_a_catalog_it_is_down(assistant: Any, tmp_path: Path) -> None:
    client = client_of(assistant(home=tmp_path / "empty").services)
    reply = client.get("/health")
    assert (reply.status_code, reply.json()["status"]) == (503, "down")
    assert "no catalog has been published yet" in reply.json()["reasons"][0]
    assert error_of(client.get(f"/products/{EVEREST}"), 503)["type"] == "CatalogEmpty"


def test_with_a_database_that_cannot_be_read_it_is_down(assistant: Any, new_home: Path) -> None:
    asked = assistant(home=new_home)
    client = client_of(asked.services)
    assert client.get("/health").json()["status"] == "ok"
    asked.services.store.database.dispose()
    (new_home / "shopbot.sqlite3").write_bytes(b"this is no database" * 1000)
    reply = client.get("/health")
    assert (reply.status_code, reply.json()["status"]) == (503, "down")
    assert reply.json()["reasons"][0].startswith("database: ")
