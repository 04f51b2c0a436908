"""Stand-ins that speak the real protocols: chat models in this process, and a model server on a real port."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from shopbot.chat_models import EngineSlots, ServedModel

LONGEST_HANG_S = 30.0  # no fake outlives its test by more


def tokens_of(text: str) -> list[str]:
    """Split text the way a model streams it: words with the space before them."""
    return re.findall(r"\s*\S+|\s+$", text)


# ---------------------------------------------------------------- chat models


class ScriptedChatModel(BaseChatModel):
    """A chat model that says what the test wants, token by token; all of it can be changed between calls.

    `replies`: a function of the messages, or texts given in turn (the last one for good). `error` is
    raised, and a hang (until `let_go()`) begins, before the token with that number.
    """

    replies: Any
    token_delay_s: float = 0.0
    first_token_delay_s: float = 0.0
    error: Any = None
    error_at_token: int = 0
    hang_at_token: int | None = None
    has_usage: bool = True

    _calls: list[list[BaseMessage]] = PrivateAttr(default_factory=list)
    _options: list[dict[str, Any]] = PrivateAttr(default_factory=list)
    _released: threading.Event = PrivateAttr(default_factory=threading.Event)
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _running: int = PrivateAttr(default=0)
    _most_running: int = PrivateAttr(default=0)
    _tokens_made: int = PrivateAttr(default=0)

    @property
    def calls(self) -> list[list[BaseMessage]]:
        """The messages of each call so far."""
        return self._calls

    @property
    def options(self) -> list[dict[str, Any]]:
        """The keyword arguments of each call so far, `stop` included."""
        return self._options

    @property
    def running(self) -> int:
        """How many generations are running now."""
        return self._running

    @property
    def most_running(self) -> int:
        """How many generations have ever run at the same time."""
        return self._most_running

    @property
    def tokens_made(self) -> int:
        return self._tokens_made

    def let_go(self) -> None:
        """End the hang, for good."""
        self._released.set()

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> Iterator[ChatGenerationChunk]:
        self._begin(messages, options | {"stop": stop})
        try:
            yield from self._chunks(messages)
        finally:
            with self._lock:
                self._running -= 1

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **options))

    def _begin(self, messages: list[BaseMessage], options: dict[str, Any]) -> None:
        with self._lock:
            self._calls.append(list(messages))
            self._options.append(options)
            self._running += 1
            self._most_running = max(self._most_running, self._running)

    def _chunks(self, messages: list[BaseMessage]) -> Iterator[ChatGenerationChunk]:
        tokens = tokens_of(self._reply(messages))
        time.sleep(self.first_token_delay_s)
        for number, token in enumerate(tokens):
            self._misbehave(number)
            self._tokens_made += 1
            yield ChatGenerationChunk(message=AIMessageChunk(content=token))
            time.sleep(self.token_delay_s)
        self._misbehave(len(tokens))
        yield _usage_chunk(messages, tokens) if self.has_usage else _empty_chunk()

    def _reply(self, messages: list[BaseMessage]) -> str:
        if callable(self.replies):
            return str(self.replies(messages))
        return str(self.replies[min(len(self._calls), len(self.replies)) - 1])

    def _misbehave(self, number: int) -> None:
        if self.error is not None and number == self.error_at_token:
            raise self.error
        if number == self.hang_at_token:
            self._released.wait(LONGEST_HANG_S)


def _usage_chunk(messages: Sequence[BaseMessage], tokens: Sequence[str]) -> ChatGenerationChunk:
    read = sum(len(tokens_of(str(message.text))) for message in messages)
    usage = UsageMetadata(input_tokens=read, output_tokens=len(tokens), total_tokens=read + len(tokens))
    return ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=usage))


def _empty_chunk() -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=""))


_COMMAND = re.compile(
    r"\b(?:say|reply|answer|respond|output|write|print|repeat"
    r"|tell (?:\w+ )?(?:customers?|users?|people|them|everyone))"
    r"(?: with| that| exactly|:)*\s+[\"'“]?(?P<payload>[^\n\"”]+)",
    re.IGNORECASE,
)
_INJECTION = re.compile(
    r"ignore|disregard|override|new instructions|system prompt|<\|?im_|^\s*(?:system|assistant)\s*:",
    re.IGNORECASE,
)
_LINK = re.compile(r"!?\[[^\]]*\]\([^)]*\)|https?://\S+|<[a-z][^>]*>", re.IGNORECASE)


def obedient_reply(messages: Sequence[BaseMessage]) -> str:
    """Do whatever the text in the context demands, wherever it stands: the worst model there could be.

    Says the payload of every command ("reply with X", "tell customers that X"), repeats every line that
    smells of an injection, and every link, image and HTML tag; without any of these, the last message.
    """
    said: list[str] = []
    for line in "\n".join(str(message.text) for message in messages).splitlines():
        said += [match["payload"].strip() for match in _COMMAND.finditer(line)]
        said += [line.strip()] if _INJECTION.search(line) else []
        said += _LINK.findall(line)
    return "\n".join(dict.fromkeys(said)) or str(messages[-1].text)


def obedient_model(**options: Any) -> ScriptedChatModel:
    """Return a chat model that obeys every instruction it reads (see `obedient_reply`)."""
    return ScriptedChatModel(replies=obedient_reply, **options)


def served(chat_model: BaseChatModel, **options: Any) -> ServedModel:
    """Wrap a fake model as the application would, one slot and eight places in the queue by default."""
    defaults: dict[str, Any] = {
        "name": "fake",
        "engine": "openvino",
        "slots": EngineSlots(capacity=1, queue_size=8),
        "first_sentence_timeout_s": 1.0,
        "stall_timeout_s": 1.0,
        "retry_after_s": 10.0,
        "fingerprint": "000000000000",
    }
    return ServedModel(chat_model=chat_model, **(defaults | options))


# ---------------------------------------------------------------- a model server

Mode = Literal[
    "ok",  # streams `reply(messages)`
    "hang",  # accepts the request, never answers
    "hang_mid",  # stops after `good_tokens`, keeps the connection open
    "drop",  # breaks the connection after `good_tokens`
    "cut",  # ends the stream cleanly after `good_tokens`, without a finish_reason
    "http_500",  # an error in OpenAI's format
    "unauthorised",  # HTTP 401 that quotes the key
    "overflow",  # HTTP 400, the prompt is too long
    "html",  # HTTP 200 with a page: a proxy in the way
    "bad_json",  # an event stream whose second event is not JSON
    "error_event",  # an event stream that carries an error
    "empty",  # a whole stream without any text
    "noise",  # a whole stream of letters without a space
    "replacement",  # a whole stream of U+FFFD
]


class FakeOpenAIServer:
    """A server of `/v1/chat/completions` on 127.0.0.1; what it does can be changed while it runs.

    Use it as a context manager; `kill()` cuts all connections, `start()` brings it back on the same port.
    """

    def __init__(
        self, reply: Callable[[list[dict[str, Any]]], str] | str = "The Ridge 2 is a fine tent for two.", port: int = 0
    ) -> None:
        self.reply = reply
        self.mode: Mode = "ok"
        self.token_delay_s = 0.0
        self.good_tokens = 3  # a mode that breaks off does so after these; the reply has to be longer
        self.has_usage = True
        self.requests: list[dict[str, Any]] = []
        self.stopped = threading.Event()
        self.disconnects = 0  # clients that went away before the end
        self.connections: set[socket.socket] = set()
        self._port = port  # 0: any that is free
        self._http: _Http | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> Self:
        self.stopped.clear()
        self._http = _Http(("127.0.0.1", self._port), _Handler)
        self._http.fake = self
        self._port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def kill(self) -> None:
        """Stop listening and cut every open connection; harmless when it is not running."""
        self.stopped.set()
        if self._http is None or self._thread is None:
            return
        self._http.shutdown()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._http.server_close()  # joins the handlers
        self._thread.join()
        self._http = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def reply_to(self, body: dict[str, Any]) -> str:
        """Return what a chat completion request gets, cut to its `max_tokens`."""
        special = {"empty": "", "noise": "xqzwvkjhgf" * 12, "replacement": "\ufffd" * 40}
        if self.mode in special:
            return special[self.mode]
        text = self.reply(body["messages"]) if callable(self.reply) else self.reply
        limit = body.get("max_tokens") or body.get("max_completion_tokens")
        return "".join(tokens_of(text)[:limit])


class _Http(ThreadingHTTPServer):
    fake: FakeOpenAIServer
    allow_reuse_address = True
    daemon_threads = False  # so that server_close joins them

    def handle_error(self, request: Any, client_address: Any) -> None:
        self.fake.disconnects += 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def setup(self) -> None:
        super().setup()
        self.fake.connections.add(self.connection)
        if self.fake.stopped.is_set():  # accepted while being killed
            self.connection.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        self.fake.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    @property
    def fake(self) -> FakeOpenAIServer:
        return self.server.fake

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        models = {"object": "list", "data": [{"id": "fake", "object": "model"}]}
        self._send(200 if self.path == "/v1/models" else 404, models)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.fake.requests.append(body | {"authorization": self.headers.get("Authorization")})
        if self.path != "/v1/chat/completions":
            self._send(404, {"error": {"message": "no such path"}})
        elif not self._refuse():
            self._complete(body)

    def _refuse(self) -> bool:
        """Answer in the modes that have no event stream; False if the mode is another."""
        key = self.headers.get("Authorization", "")
        refusals: dict[str, Callable[[], None]] = {
            "hang": self._hang,
            "http_500": lambda: self._send(500, _error("CUDA out of memory")),
            "unauthorised": lambda: self._send(401, _error(f"Incorrect API key provided: {key}")),
            "overflow": lambda: self._send(400, _error("too long", "context_length_exceeded")),
            "html": lambda: self._send_bytes(200, "text/html", b"<html><body>Please log in</body></html>"),
        }
        refuse = refusals.get(self.fake.mode)
        if refuse:
            refuse()
        return refuse is not None

    def _complete(self, body: dict[str, Any]) -> None:
        tokens = tokens_of(self.fake.reply_to(body))
        if body.get("stream"):
            self._stream(tokens, body)
        else:
            self._send(200, _completion("".join(tokens), body))

    def _stream(self, tokens: list[str], body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event(_delta({"role": "assistant", "content": ""}))
        for number, token in enumerate(tokens):
            if self.fake.stopped.is_set() or not self._misbehave(number):
                return
            self._event(_delta({"content": token}))
            time.sleep(self.fake.token_delay_s)
        self._event(_delta({}, finish_reason="stop"))
        if self.fake.has_usage and body.get("stream_options", {}).get("include_usage"):
            self._event(_chunk([], usage=_usage(body, tokens)))
        self._end_stream(b"data: [DONE]\n\n")

    def _misbehave(self, number: int) -> bool:
        """Do what the mode says before token `number`; False if that was the end."""
        mode = self.fake.mode
        if mode == "bad_json" and number == 1:
            self._write(b'data: {"choices": [{"delta": {"conte\n\n')
        elif mode == "error_event" and number == 1:
            self._event(_error("the engine died"))
        elif number < self.fake.good_tokens:
            return True
        elif mode == "hang_mid":
            self._hang()
            return False
        elif mode == "drop":
            self.connection.shutdown(socket.SHUT_RDWR)
            return False
        elif mode == "cut":
            self._end_stream(b"")
            return False
        return True

    def _hang(self) -> None:
        """Say nothing until the server is killed or the client goes away."""
        self.close_connection = True
        self.connection.settimeout(0.02)
        ends = time.monotonic() + LONGEST_HANG_S
        while not self.fake.stopped.is_set() and time.monotonic() < ends:
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    self.fake.disconnects += 1
                    return

    def _event(self, payload: dict[str, Any]) -> None:
        self._write(f"data: {json.dumps(payload)}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _end_stream(self, data: bytes) -> None:
        if data:
            self._write(data)
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, status: int, payload: dict[str, Any]) -> None:
        self._send_bytes(status, "application/json", json.dumps(payload).encode())

    def _send_bytes(self, status: int, content_type: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _error(message: str, code: str = "fake") -> dict[str, Any]:
    return {"error": {"message": f"{message} ({code})", "type": "fake", "code": code}}


def _chunk(choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 0, "model": "fake"}
    return head | {"choices": choices} | more


def _delta(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return _chunk([{"index": 0, "delta": delta, "finish_reason": finish_reason}])


def _usage(body: dict[str, Any], tokens: Sequence[str]) -> dict[str, int]:
    read = sum(len(tokens_of(str(message["content"]))) for message in body["messages"])
    return {"prompt_tokens": read, "completion_tokens": len(tokens), "total_tokens": read + len(tokens)}


def _completion(text: str, body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    head = {"id": "c1", "object": "chat.completion", "created": 0, "model": "fake"}
    return head | {"choices": [choice], "usage": _usage(body, tokens_of(text))}
