"""Text out of a `generate` call that runs in a thread: what the two embedded engines have in common."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult


class Usage(NamedTuple):
    """Tokens read and written; the written ones include the end-of-turn token."""

    prompt_tokens: int
    answer_tokens: int


Emit = Callable[[str], bool]
"""Takes the next piece of text, says whether to go on: False once nobody wants more."""


class StopFilter:
    """Cut a stream of text at the first stop string, which may be spread over several pieces.

    Holds back only text that may turn out to be the beginning of a stop string.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [text for text in stop if text]
        self._held = ""
        self.has_stopped = False

    def feed(self, piece: str) -> str:
        """Return what may be shown after `piece` has arrived."""
        if self.has_stopped:
            return ""
        text = self._held + piece
        ends = [at for at in map(text.find, self._stop) if at >= 0]
        if ends:
            self.has_stopped, self._held = True, ""
            return text[: min(ends)]
        keep = len(text) - self._beginning_of_a_stop(text)
        self._held = text[keep:]
        return text[:keep]

    def flush(self) -> str:
        """Return what was held back, when no more text comes."""
        held, self._held = self._held, ""
        return held

    def _beginning_of_a_stop(self, text: str) -> int:
        """Return how many characters at the end of `text` could begin a stop string."""
        longest = max((len(stop) - 1 for stop in self._stop), default=0)
        sizes = range(min(longest, len(text)), 0, -1)
        return next((size for size in sizes if any(s.startswith(text[-size:]) for s in self._stop)), 0)


def stream_from_thread(
    generate: Callable[[Emit], Usage], stop: Sequence[str], thread_name: str
) -> Iterator[ChatGenerationChunk]:
    """Run `generate` in a thread and yield its text as it comes; the last chunk carries the token counts.

    An exception in the thread is raised here. Closing this iterator makes `emit` return False and waits
    for the thread: when `close()` returns, the engine is free.
    """
    pieces: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    is_closed = threading.Event()
    stops = StopFilter(stop)

    def emit(piece: str) -> bool:
        if shown := stops.feed(piece):
            pieces.put(shown)
        return not (is_closed.is_set() or stops.has_stopped)

    # An executor for its Future, which carries the result or the exception. Its threads are joined when
    # the interpreter exits: a native engine that calls back into a finalised one would crash it.
    with ThreadPoolExecutor(1, thread_name) as pool:
        running = pool.submit(generate, emit)
        running.add_done_callback(lambda _: pieces.put(None))
        try:
            yield from _text_chunks(pieces)
            yield _last_chunk(running, stops)
        finally:
            is_closed.set()


def reply_of(chunks: Iterator[ChatGenerationChunk]) -> ChatResult:
    """Join a stream to the one reply that `_generate` has to return."""
    return generate_from_stream(chunks)


def _text_chunks(pieces: "queue.SimpleQueue[str | None]") -> Iterator[ChatGenerationChunk]:
    while (piece := pieces.get()) is not None:
        yield ChatGenerationChunk(message=AIMessageChunk(content=piece))


def _last_chunk(running: "Future[Usage]", stops: StopFilter) -> ChatGenerationChunk:
    usage = running.result()
    counts = UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.answer_tokens,
        total_tokens=usage.prompt_tokens + usage.answer_tokens,
    )
    message = AIMessageChunk(content=stops.flush(), usage_metadata=counts, chunk_position="last")
    return ChatGenerationChunk(message=message)
