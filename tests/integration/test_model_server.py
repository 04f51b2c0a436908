"""A real OpenAI-compatible server: `transformers serve` with the packaged model, started for the test."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.health import health_of
from shopbot.chat_models.convert import dequantised_folder
from tests.conftest import settings_in

if TYPE_CHECKING:
    from app.wiring import Services

PATIENT_S = 120  # the server answers from a busy machine; its speed is not what is tested
AGAIN_S = 0.3


class ModelServer:
    """`transformers serve` with the packaged model, in a process of its own that can die and come back on its port."""

    def __init__(self, folder: str) -> None:
        self.model = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        command = [Path(sys.executable).with_name("transformers"), "serve", self.model]
        options = ["--host", "127.0.0.1", "--port", str(self._port), "--device", "cpu", "--dtype", "bfloat16"]
        self._process = subprocess.Popen(
            [*command, *options],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def _wait(self) -> None:
        assert self._process
        deadline = time.monotonic() + PATIENT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{self._port}/health", timeout=2)
                return
            except httpx.TransportError:
                time.sleep(0.3)
        pytest.fail("`transformers serve` did not come up")

    def kill(self) -> None:
        """End it as the kernel would, without a chance to say goodbye."""
        if self._process:
            self._process.kill()
            self._process.wait(timeout=30)
            self._process = None


@pytest.fixture
def model_server(cache: Path) -> Iterator[ModelServer]:
    server = ModelServer(str(dequantised_folder(cache)))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def services(model_server: ModelServer, new_home: Path) -> Iterator["Services"]:
    """The assistant on that server, by settings alone; it tries a failed model again soon."""
    from app.wiring import open_services

    settings = settings_in(
        new_home,
        engine="openai",
        openai_base_url=model_server.base_url,
        model=model_server.model,
        model_first_sentence_timeout_s=PATIENT_S,
        model_stall_timeout_s=PATIENT_S,
        model_retry_after_s=AGAIN_S,
    )
    opened = open_services(settings, lambda *_: None)
    yield opened
    opened.chat.close()


def ask(services: "Services") -> dict[str, Any]:
    from app.batch import ask as answer
    from graph.turn import Message, TurnRequest

    question = Message(role="user", content="How much is the Curlew Merino Beanie?")
    return answer(services, TurnRequest(messages=(question,)))


@pytest.mark.model
def test_an_answer_written_by_a_model_server_is_checked_like_any_other(services: "Services") -> None:
    """The same graph, another engine by settings alone: text streams in, the live price is right and cited."""
    result = ask(services)
    assert result["reduced"] is None
    assert result["tokens"]["answer"] > 0
    assert "$34.00" in result["answer"]
    assert [citation["id"] for citation in result["citations"]] == ["CO-0801"]


@pytest.mark.model
@pytest.mark.timeout(600)  # the server loads its model twice
def test_while_the_model_server_is_dead_the_records_answer_and_when_it_is_back_it_writes_again(
    services: "Services", model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    model = services.deps.models["base"]
    assert ask(services)["reduced"] is None
    assert model.health.state == "closed"

    model_server.kill()
    dead = [ask(services) for _ in range(2)]
    assert [result["citations"][0]["id"] for result in dead] == ["CO-0801", "CO-0801"]
    assert all("$34.00" in result["answer"] and result["model_share"] == 0.0 for result in dead)
    assert dead[0]["reduced"] == "the model server cannot be reached"
    assert health_of(services)["status"] == "degraded"
    assert health_of(services)["arms"]["base"]["circuit"]["state"] in ("open", "half_open")

    model_server.start()
    time.sleep(AGAIN_S)
    assert model.health.state == "half_open"
    back = ask(services)
    assert back["reduced"] is None
    assert back["tokens"]["answer"] > 0
    assert health_of(services)["status"] == "ok"
    assert health_of(services)["arms"]["base"]["circuit"]["state"] == "closed"
    changes = [message for message in caplog.messages if "circuit" in message]
    assert ["circuit open" in changes[0], "circuit closed" in changes[-1], len(changes)] == [True, True, 2]
