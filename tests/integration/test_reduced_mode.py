"""Whatever the model server does, the customer gets a cited answer, and is told that it is a reduced one.

How soon is a matter of the limits, which `shopbot bench` measures; here it would be a test of the machine.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api import create_api
from shopbot.chat_models import build_served_model, warm_up
from shopbot.settings import REPOSITORY, Settings
from tests.fakes import FakeOpenAIServer, Mode

pytestmark = pytest.mark.model

PRICE = "How much is the Everest Down Jacket?"
TWO = "What are the price and the weight of the Everest Down Jacket?"
ANSWER = "The Everest Down Jacket costs $349.00 [1]."
NOTE = "(I'm in reduced mode right now: this answer is put together straight from our records.)"
AGAIN_S = 0.3


@pytest.fixture
def server() -> Iterator[FakeOpenAIServer]:
    with FakeOpenAIServer(ANSWER) as running:
        yield running


@pytest.fixture
def asked(server: FakeOpenAIServer, assistant: Any) -> Any:
    """An assistant on that server, with the default limits, that tries a failed model again soon."""
    return on_server(server.base_url, assistant)


def on_server(base_url: str, assistant: Any, **limits: float) -> Any:
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        engine="openai",
        model="fake",
        openai_base_url=base_url,
        model_retry_after_s=AGAIN_S,
        **limits,
    )
    model = build_served_model(settings)
    warm_up(model)
    made = assistant()
    made.services.deps.models["base"] = model
    return made


class ServerProcess:
    """A model server in a process of its own, which can die without a goodbye and come back on its port."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        code = (
            "import sys; from tests.fakes import FakeOpenAIServer;"
            "FakeOpenAIServer(sys.argv[1], int(sys.argv[2])).start(); print('up', flush=True); sys.stdin.read()"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, ANSWER, str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "up\n"

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None


@pytest.fixture
def process() -> Iterator[ServerProcess]:
    server = ServerProcess()
    server.start()
    yield server
    server.kill()


def circuit(asked: Any) -> str:
    reply = TestClient(create_api(lambda: asked.services)).get("/health")
    return str(reply.json()["arms"]["base"]["circuit"]["state"])


def assert_whole_again(asked: Any) -> None:
    """The next question is the trial, and its answer the model's own."""
    result = asked.ask(PRICE)
    assert (result.answer, result.model_share, result.reduced) == (ANSWER, 1.0, None)
    assert health(asked) == ("ok", [])
    assert circuit(asked) == "closed"


def health(asked: Any) -> tuple[str, list[str]]:
    reply = TestClient(create_api(lambda: asked.services)).get("/health")
    assert reply.status_code == 200
    return reply.json()["status"], reply.json()["reasons"]


FAILURES: dict[Mode, str] = {
    "http_500": "the model server answered HTTP 500",
    "unauthorised": "the model server answered HTTP 401",
    "overflow": "the question and its records do not fit the model's context",
    "html": "the model server sent something that is not a chat completion",
    "bad_json": "the model server sent something that is not JSON",
    "error_event": "engine died",
    "empty": "the reply is empty",
    "noise": "the reply is not language",
    "replacement": "the reply is not language",
    "hang": "no first token within 1.5 s",
    "hang_mid": "no sentence to show within 1.5 s",
    "drop": "the connection to the model server broke in mid-answer",
    "cut": "the connection ended in mid-answer",
}


def test_while_the_server_is_well_the_model_answers(asked: Any) -> None:
    result = asked.ask(PRICE)
    assert (result.answer, result.model_share, result.reduced) == (ANSWER, 1.0, None)
    assert health(asked) == ("ok", [])


@pytest.mark.parametrize(("mode", "reason"), FAILURES.items(), ids=FAILURES)
def test_when_the_server_fails_the_records_answer(
    mode: Mode, reason: str, server: FakeOpenAIServer, asked: Any
) -> None:
    server.mode = mode
    result = asked.ask(PRICE)
    assert result.answer == f"{ANSWER}\n{NOTE}"
    assert [citation.kind for citation in result.citations] == ["fact"]
    assert (result.verdict, result.fallback, result.model_share) == ("fallback", True, 0.0)
    assert reason in (result.reduced or "")
    assert health(asked) == ("degraded", [f"model: {result.reduced}"])


def test_when_the_server_is_gone_the_records_answer(server: FakeOpenAIServer, asked: Any) -> None:
    server.kill()
    result = asked.ask(PRICE)
    assert result.answer == f"{ANSWER}\n{NOTE}"
    assert result.reduced == "the model server cannot be reached"
    assert health(asked) == ("degraded", ["model: the model server cannot be reached"])


def test_a_server_that_failed_is_left_alone_for_a_while(server: FakeOpenAIServer, asked: Any) -> None:
    """One customer waits for the limit; those after it do not."""
    asked.services.deps.models["base"].health._retry_after_s = 60.0
    server.mode = "hang"
    asked.ask(PRICE)
    before = len(server.requests)
    result = asked.ask(PRICE)
    assert result.answer == f"{ANSWER}\n{NOTE}"
    assert len(server.requests) == before
    assert circuit(asked) == "open"


def test_what_was_shown_before_the_break_stays_and_the_records_add_the_rest(
    server: FakeOpenAIServer, asked: Any
) -> None:
    server.reply = f"{ANSWER} The Everest Down Jacket weighs 515 g [1]."
    server.mode, server.good_tokens = "drop", 9
    result = asked.ask(TWO)
    shown = [event["text"] for event in asked.events if event["kind"] == "sentence"]
    assert (shown[0], shown[-1]) == (ANSWER, NOTE)
    assert "515 g" in result.answer
    assert (asked.authors[0], {*asked.authors[1:-1]}, asked.authors[-1]) == ("model", {"record"}, "shop")
    assert (result.verdict, result.fallback) == ("repaired", False)


def test_questions_without_a_model_are_answered_as_ever(server: FakeOpenAIServer, asked: Any) -> None:
    server.kill()
    result = asked.ask("Do you sell canoes?")
    assert result.reduced is None
    assert "reduced mode" not in result.answer


@pytest.mark.parametrize("mode", ["killed", "http_500", "hang"])
def test_it_recovers_by_itself_when_the_server_is_back(mode: Any, server: FakeOpenAIServer, asked: Any) -> None:
    if mode == "killed":
        server.kill()
    else:
        server.mode = mode
    assert asked.ask(PRICE).model_share == 0.0
    assert health(asked)[0] == "degraded"
    server.mode = "ok"
    if mode == "killed":
        server.start()
    time.sleep(AGAIN_S)
    assert circuit(asked) == "half_open"
    assert_whole_again(asked)


def test_an_assistant_starts_without_its_server(assistant: Any, server: FakeOpenAIServer) -> None:
    """Nobody has to start both in the right order."""
    server.kill()
    settings = Settings(_env_file=None, engine="openai", model="fake", openai_base_url=server.base_url)  # type: ignore[call-arg]
    model = build_served_model(settings)
    warm_up(model)
    made = assistant()
    made.services.deps.models["base"] = model
    assert health(made) == ("degraded", ["model: the model server cannot be reached"])
    assert made.ask(PRICE).answer == f"{ANSWER}\n{NOTE}"


def test_a_server_process_that_dies_costs_no_answer_and_when_it_is_back_it_writes_again(
    process: ServerProcess, assistant: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed as the kernel kills, started anew on its port; the assistant is never restarted."""
    asked = on_server(process.base_url, assistant, model_first_sentence_timeout_s=60, model_stall_timeout_s=60)
    assert asked.ask(PRICE).model_share == 1.0
    assert circuit(asked) == "closed"

    process.kill()
    for _ in range(2):
        result = asked.ask(PRICE)
        assert result.answer == f"{ANSWER}\n{NOTE}"
        assert [citation.id for citation in result.citations] == ["CO-0101"]
    assert health(asked)[0] == "degraded"
    assert circuit(asked) in ("open", "half_open")

    process.start()
    time.sleep(AGAIN_S)
    assert circuit(asked) == "half_open"
    assert_whole_again(asked)
    changes = [message for message in caplog.messages if "circuit" in message]
    assert [message.rpartition("circuit ")[2].partition(",")[0] for message in changes] == ["open", "closed"]
