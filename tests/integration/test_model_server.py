"""A real OpenAI-compatible server: `transformers serve` with the packaged model, started for the test."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shopbot.chat_models.convert import dequantised_folder
from tests.conftest import settings_in

PATIENT_S = 60  # the server answers from a busy machine; its speed is not what is tested


@pytest.fixture(scope="module")
def model_server(cache: Path) -> Iterator[tuple[str, str]]:
    """Yield (base URL, model name) of a server on a port of its own."""
    folder = str(dequantised_folder(cache))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [Path(sys.executable).with_name("transformers"), "serve", folder]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "bfloat16"]
    server = subprocess.Popen(
        [*command, *options],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}/v1", folder
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            httpx.get(url, timeout=2)
            return
        except httpx.TransportError:
            time.sleep(0.3)
    pytest.fail("`transformers serve` did not come up")


@pytest.mark.model
def test_an_answer_written_by_a_model_server_is_checked_like_any_other(
    model_server: tuple[str, str], new_home: Path
) -> None:
    """The same graph, another engine by settings alone: text streams in, the live price is right and cited."""
    from app.batch import ask
    from app.wiring import open_services
    from graph.turn import Message, TurnRequest

    base_url, model = model_server
    settings = settings_in(
        new_home,
        engine="openai",
        openai_base_url=base_url,
        model=model,
        model_first_sentence_timeout_s=PATIENT_S,
        model_stall_timeout_s=PATIENT_S,
    )
    services = open_services(settings, lambda *_: None)
    question = Message(role="user", content="How much is the Curlew Merino Beanie?")
    result = ask(services, TurnRequest(messages=(question,)))
    services.chat.close()
    assert result["reduced"] is None
    assert result["tokens"]["answer"] > 0
    assert "$34.00" in result["answer"]
    assert [citation["id"] for citation in result["citations"]] == ["CO-0801"]
