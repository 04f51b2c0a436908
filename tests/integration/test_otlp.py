"""`shopbot ask` sends its trace to an OTLP receiver on a real port, as OTEL_* variables say, and only if told to."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.fakes import FakeOpenAIServer

pytestmark = pytest.mark.model

PRICE = "How much is the Everest Down Jacket?"
ANSWER = "The Everest Down Jacket costs $349.00 [1]."


class Receiver(HTTPServer):
    """Takes traces as an OTLP backend does: protobuf, POST /v1/traces."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posts: list[tuple[str, str | None, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[Any]:
        requests = [ExportTraceServiceRequest.FromString(body) for _, _, body in self.posts]
        scopes = [scope for each in requests for resource in each.resource_spans for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def service_names(self) -> set[str]:
        requests = [ExportTraceServiceRequest.FromString(body) for _, _, body in self.posts]
        attributes = [a for each in requests for resource in each.resource_spans for a in resource.resource.attributes]
        return {attribute.value.string_value for attribute in attributes if attribute.key == "service.name"}


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, self.headers["X-Tenant"], body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(home: Path, receiver: Receiver, **variables: str) -> str:
    """Run `shopbot ask` in a process of its own, against a model server; return what it printed."""
    with FakeOpenAIServer(ANSWER) as model:
        settings = {
            "SHOPBOT_HOME": str(home),
            "SHOPBOT_CACHE": str(home / "cache"),
            "SHOPBOT_ENGINE": "openai",
            "SHOPBOT_MODEL": "fake",
            "SHOPBOT_OPENAI_BASE_URL": model.base_url,
            "SHOPBOT_MODEL_FIRST_SENTENCE_TIMEOUT_S": "60",  # how fast a busy machine is, is not what is tested
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=cairn",
        }
        command = [Path(sys.executable).with_name("shopbot"), "ask", PRICE]
        ended = subprocess.run(
            command, env={**os.environ, **settings, **variables}, capture_output=True, text=True, check=True, cwd=home
        )
    return ended.stdout


def test_a_receiver_gets_the_turn_with_its_spans_and_no_text(new_home: Path, receiver: Receiver) -> None:
    assert ANSWER in ask(new_home, receiver, SHOPBOT_TRACES="true")
    assert {(path, tenant) for path, tenant, _ in receiver.posts} == {("/v1/traces", "cairn")}
    assert receiver.service_names() == {"shopbot"}
    (turn,) = [span for span in receiver.spans() if span.name == "invoke_workflow shopbot"]
    inside = {span.name for span in receiver.spans() if span.trace_id == turn.trace_id}
    assert {"guard", "route", "retrieval policies", "write", "chat fake", "verify", "respond"} <= inside
    assert not any(b"Everest" in body for _, _, body in receiver.posts)


def test_the_standard_variables_name_the_service(new_home: Path, receiver: Receiver) -> None:
    ask(new_home, receiver, SHOPBOT_TRACES="true", OTEL_SERVICE_NAME="cairn-chat")
    assert receiver.service_names() == {"cairn-chat"}


def test_without_the_setting_nothing_is_sent(new_home: Path, receiver: Receiver) -> None:
    assert ANSWER in ask(new_home, receiver)
    assert receiver.posts == []


def test_a_receiver_that_is_gone_costs_no_answer(new_home: Path, receiver: Receiver) -> None:
    printed = ask(
        new_home,
        receiver,
        SHOPBOT_TRACES="true",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    assert ANSWER in printed


def test_without_the_setting_the_sdk_is_not_even_imported() -> None:
    code = (
        "import sys; from app.tracing import start_tracing; from shopbot.settings import Settings;"
        "start_tracing(Settings(_env_file=None)); print('opentelemetry.sdk' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
