"""A model as the application sees it: admitted, timed, cancellable, and every failure a ModelError."""

import hashlib
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from shopbot.chat_models.decoding import EMBEDDED_ENGINES, Decoding, call_options
from shopbot.chat_models.garbled import looks_garbled
from shopbot.chat_models.health import ModelHealth
from shopbot.chat_models.slots import POLL_S, EngineSlots
from shopbot.errors import ModelBusy, ModelError, ModelGarbled, ModelTimeout, ShopbotError
from shopbot.tracing import generation_span

if TYPE_CHECKING:  # langchain_core's models take 0.4 s to import
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

FINGERPRINT_PROMPT = "Name three things to pack for a rainy hike."
_log = logging.getLogger(__name__)


@dataclass
class Timings:
    """What one reply took, filled in while it is streamed; None: not known (yet, or this model does not say).

    `queued_ms` is the wait for a slot; the other two count from the moment the call had it.
    """

    queued_ms: float | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None

    def add_tokens(self, prompt: int, answer: int) -> None:
        """Add the counts of one chunk: providers spread them over several (LangChain adds them up, too)."""
        self.prompt_tokens = (self.prompt_tokens or 0) + prompt
        self.answer_tokens = (self.answer_tokens or 0) + answer


@dataclass
class ServedModel:
    """A loaded chat model behind its slots; `stream_text` is the one way to talk to it."""

    name: str
    engine: str  # one of Settings' engines
    chat_model: "BaseChatModel"
    slots: EngineSlots
    first_sentence_timeout_s: float
    stall_timeout_s: float
    retry_after_s: float
    arm: str = "base"
    fingerprint: str | None = None  # None: a remote model, whose output we do not pin
    learnt: Mapping[str, str] | None = None  # hashes of the policy sections that it was tuned on, by id
    is_openai_itself: bool = False
    slot_timeout_s: float = 30.0
    clock: Callable[[], float] = time.monotonic
    health: ModelHealth = field(init=False)

    def __post_init__(self) -> None:
        self.health = ModelHealth(self.retry_after_s, self.clock, f"{self.name} ({self.engine}, {self.arm})")

    @property
    def is_embedded(self) -> bool:
        """Whether the model runs in this process."""
        return self.engine in EMBEDDED_ENGINES

    def stream_text(
        self,
        messages: "Sequence[BaseMessage]",
        *,
        decoding: Decoding,
        cancelled: threading.Event,
        timings: Timings | None = None,
        has_shown: Callable[[], bool] = lambda: True,
    ) -> Generator[str]:
        """Yield a reply's text as it is written; nothing happens before the first `next`.

        `has_shown` tells whether somebody has been shown a part of the reply: until then all of its pauses together
        may take `first_sentence_timeout_s`, afterwards each of them `stall_timeout_s`.

        Ends early, without an error, once `cancelled` is set. Closing the generator or setting `cancelled`
        returns at once and stops the engine; its slot is free when the engine really is.

        Raises ModelBusy (no slot), ModelTimeout (nothing to show in time, or a pause within the reply),
        ModelGarbled (empty, or not language) and ModelError for all else, at once while the model is
        left alone after a failure.
        """
        timings = timings or Timings()
        with generation_span(self, messages, decoding, timings) as told:
            for piece in self._stream_if_well(messages, decoding, _Call(cancelled, has_shown), timings):
                told(piece)
                yield piece

    def _stream_if_well(
        self, messages: "Sequence[BaseMessage]", decoding: Decoding, call: "_Call", timings: Timings
    ) -> Generator[str]:
        is_trial = self.health.admit()
        report: Callable[[], None] = self.health.abandoned
        try:
            yield from self._stream_in_slot(messages, decoding, call, timings, is_trial)
            if not call.cancelled.is_set():
                report = self.health.succeeded
        except ModelBusy:
            raise
        except ModelError as error:
            self._log_failure(error)
            report = partial(self.health.failed, error)
            raise
        finally:
            report()

    def _log_failure(self, error: ModelError) -> None:
        """Log a failure, with the traceback if it is ours: a provider's message may quote the API key."""
        cause = error.__cause__ if self.is_embedded else None
        _log.warning("%s (%s): %s", self.name, self.engine, error, exc_info=cause)

    def _stream_in_slot(
        self,
        messages: "Sequence[BaseMessage]",
        decoding: Decoding,
        call: "_Call",
        timings: Timings,
        is_trial: bool,
    ) -> Iterator[str]:
        asked = time.monotonic()
        if not self._take_slot(call.cancelled, is_trial):
            return
        started = time.monotonic()
        timings.queued_ms = _ms(started - asked)
        options = call_options(self.engine, decoding, is_openai_itself=self.is_openai_itself)
        self._start_producer(call, list(messages), options)
        try:
            yield from self._checked_text(call, timings, started)
        finally:
            call.is_over.set()
            timings.total_ms = _ms(time.monotonic() - started)

    def _take_slot(self, cancelled: threading.Event, is_trial: bool) -> bool:
        """Take a slot; on trial a model that does not even free one has failed again."""
        if not is_trial:
            return self.slots.acquire(cancelled, self.slot_timeout_s)
        try:
            return self.slots.acquire(cancelled, self.first_sentence_timeout_s)
        except ModelBusy as error:
            raise ModelTimeout("the engine has not come back from an earlier answer") from error

    def _start_producer(self, call: "_Call", messages: "list[BaseMessage]", options: dict[str, Any]) -> None:
        # A daemon: a remote call that hangs must not keep the process from ending.
        thread = threading.Thread(
            target=self._produce, args=(call, messages, options), name=f"produce-{self.arm}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the process is out of threads
            self.slots.release()
            raise ModelError(f"cannot start a generation: {error}") from error

    def _produce(self, call: "_Call", messages: "list[BaseMessage]", options: dict[str, Any]) -> None:
        """Feed the call's queue; runs in a thread of its own, without the caller's LangChain callbacks.

        Without them on purpose: LangGraph's message stream would show the tokens before they are checked.
        """
        error: Exception | None = RuntimeError("the generation was ended from outside")
        try:
            with closing(self._chunks(messages, options)) as chunks:
                for chunk in chunks:
                    if call.is_unwanted:
                        break
                    call.put(chunk)
            error = None
        except Exception as caught:  # noqa: BLE001  any provider's, whatever it is: raised again by the consumer
            error = caught
        finally:
            # The slot first: who has read the end of this reply may ask for the next.
            self.slots.release()
            call.put(_End(error))

    def _chunks(self, messages: "list[BaseMessage]", options: dict[str, Any]) -> Generator["_Chunk"]:
        # Closing this closes LangChain's stream and the engine's, which waits until the engine is free.
        for message in self.chat_model.stream(messages, **options):
            usage = message.usage_metadata
            counts = (usage["input_tokens"], usage["output_tokens"]) if usage else None
            yield _Chunk(str(message.text), counts, "finish_reason" in message.response_metadata)

    def _checked_text(self, call: "_Call", timings: Timings, started: float) -> Iterator[str]:
        reply = ""
        is_finished = False
        deadline = started + self.first_sentence_timeout_s
        while not isinstance(item := call.take(deadline), _End):
            if item is None:
                if call.cancelled.is_set():
                    return
                raise self._timed_out(reply, call)
            is_finished = is_finished or item.is_finish
            if item.counts:
                timings.add_tokens(*item.counts)
            if item.text:
                reply += item.text
                if timings.first_token_ms is None:
                    timings.first_token_ms = _ms(time.monotonic() - started)
                if looks_garbled(reply):
                    raise ModelGarbled("the reply is not language")
                yield item.text
                # Without the first limit a model that dribbles, or stalls late, keeps people waiting for nothing.
                last = math.inf if call.has_shown() else started + self.first_sentence_timeout_s
                deadline = min(last, time.monotonic() + self.stall_timeout_s)
        if call.cancelled.is_set():
            return
        if item.error is not None:
            raise as_model_error(item.error) from item.error
        self._check_is_whole(reply, is_finished)

    def _timed_out(self, reply: str, call: "_Call") -> ModelTimeout:
        if not reply:
            return ModelTimeout(f"no first token within {self.first_sentence_timeout_s:g} s")
        if not call.has_shown():
            return ModelTimeout(f"no sentence to show within {self.first_sentence_timeout_s:g} s")
        return ModelTimeout(f"stopped in mid-answer for {self.stall_timeout_s:g} s")

    def _check_is_whole(self, reply: str, is_finished: bool) -> None:
        if not reply.strip():
            raise ModelGarbled("the reply is empty")
        if self.engine == "openai" and not is_finished:
            # The end of a stream without chunked encoding looks like a dropped connection; the protocol's
            # last chunk has a finish_reason.
            raise ModelError("the connection ended in mid-answer")


class _Chunk(NamedTuple):
    """A piece of the reply; `counts` are prompt and answer tokens, in the chunk that has them."""

    text: str
    counts: tuple[int, int] | None
    is_finish: bool


class _End(NamedTuple):
    """The producer is done and its slot is free."""

    error: Exception | None


class _Call:
    """What the consumer and the producer of one reply share."""

    def __init__(self, cancelled: threading.Event, has_shown: Callable[[], bool]) -> None:
        self.cancelled = cancelled
        self.has_shown = has_shown
        self.is_over = threading.Event()
        self._items: queue.SimpleQueue[_Chunk | _End] = queue.SimpleQueue()

    @property
    def is_unwanted(self) -> bool:
        return self.is_over.is_set() or self.cancelled.is_set()

    def put(self, item: _Chunk | _End) -> None:
        self._items.put(item)

    def take(self, deadline: float) -> _Chunk | _End | None:
        """Return the next item, or None at `deadline` (monotonic seconds) or once cancelled.

        An item that has arrived is returned even when it is late for this thread's own reasons.
        """
        while not self.cancelled.is_set():
            left_s = max(0.0, deadline - time.monotonic())
            try:
                return self._items.get(timeout=min(left_s, POLL_S))
            except queue.Empty:
                if left_s == 0.0:
                    break
        return None


# Causes for people, by the class name of the exception, of an ancestor, or of one that it was raised from;
# the first that fits. Naming the classes themselves would import openai (1 s), which need not be in use,
# and both generations of httpx.
_CAUSES = {
    "RemoteProtocolError": "the connection to the model server broke in mid-answer",
    "ReadError": "the connection to the model server broke in mid-answer",
    "APITimeoutError": "the model server did not answer in time",
    "TimeoutException": "the model server did not answer in time",
    "APIConnectionError": "the model server cannot be reached",
    "TransportError": "the connection to the model server failed",
    "JSONDecodeError": "the model server sent something that is not JSON",
    "ContextOverflowError": "the question and its records do not fit the model's context",
}


def as_model_error(error: Exception) -> ModelError:
    """Turn whatever an engine raised into a ModelError whose text suits a health page.

    A provider's own message is quoted for unknown errors only, and one line of it: messages on
    authentication repeat parts of the key.
    """
    if isinstance(error, ModelError):
        return error
    if isinstance(error, ShopbotError):
        return ModelError(str(error))
    names = set(_class_names(error))
    if cause := next((text for name, text in _CAUSES.items() if name in names), None):
        return ModelError(cause)
    if isinstance(status := getattr(error, "status_code", None), int):
        return ModelError(f"the model server answered HTTP {status}")
    line = (str(error).strip().splitlines() or ["no message"])[-1]
    if line == "No generation chunks were returned":  # LangChain's; HTTP 200 with a page, not with a stream
        return ModelError("the model server sent something that is not a chat completion")
    return ModelError(f"{type(error).__name__}: {line[:160]}")


def _class_names(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield from (ancestor.__name__ for ancestor in type(error).__mro__)
        error = error.__cause__


def fingerprint(chat_model: "BaseChatModel") -> str:
    """Return 12 hex digits of the sha256 of 16 greedy tokens on a fixed prompt.

    Two models that answer alike are the same model, whatever their settings claim: an adapter that an
    engine silently ignored shows here (docs/adr/0006). Raises what the model raises.
    """
    reply = chat_model.invoke(FINGERPRINT_PROMPT, temperature=0.0, max_tokens=16)
    return hashlib.sha256(str(reply.text).encode()).hexdigest()[:12]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
