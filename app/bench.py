"""`shopbot bench`: engines side by side, retrieval, what is neither model nor embedding, and whole turns.

Every ratio is taken within one run, engines alternating, because machines are noisy; absolute figures are given
beside them for orientation only.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import psutil
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from app.latency import SIZES, Stopwatch, draw, measure, report
from app.wiring import Progress, Services, open_services
from graph.build import run_turn
from graph.deps import Deps
from graph.routing import Route
from graph.turn import Message, TurnRequest
from shopbot.chat_format import as_facts, to_messages
from shopbot.chat_models import EngineSlots, ServedModel, build_served_model
from shopbot.embedding import Embedder, Vectors
from shopbot.search import search_products
from shopbot.settings import Engine, Settings

ANSWER_TOKENS = 28  # the length of a typical answer, forced on both engines
SEARCHES = 200
FAILING_TURNS = 6
Part = Literal["engines", "retrieval", "overhead", "failing", "turns"]
PARTS: tuple[Part, ...] = get_args(Part)
ENGINES: tuple[Engine, Engine] = ("openvino", "transformers")


@dataclass(frozen=True)
class Generation:
    """One forced-length generation; times in ms, `rate` in tokens a second after the first."""

    first_token_ms: float
    whole_ms: float

    @property
    def rate(self) -> float:
        return (ANSWER_TOKENS - 1) / max(self.whole_ms - self.first_token_ms, 1e-6) * 1000


def run_bench(
    settings: Settings,
    rounds: int,
    turns: int,
    progress: Progress,
    parts: Sequence[Part] = PARTS,
    picture: Path | None = None,
) -> str:
    """Measure the parts asked for and return the report as Markdown; `picture` is where that of the turns goes.

    Needs the packaged models; all parts take about six minutes on two idle cores.
    """
    services = open_services(
        settings.model_copy(update={"engine": "openvino", "model": "smollm2-135m-instruct"}), progress
    )
    measured: dict[Part, Callable[[], Iterator[str]]] = {
        "engines": lambda: _engines(services, settings, rounds, progress),
        "retrieval": lambda: _retrieval(services, progress),
        "overhead": lambda: _overhead(services, turns, progress),
        "failing": lambda: _failing(services, progress),
        "turns": lambda: _turns(services, turns, progress, picture),
    }
    return "\n\n".join("\n".join(measured[part]()) for part in parts)


def _turns(services: Services, turns: int, progress: Progress, picture: Path | None) -> Iterator[str]:
    cells = measure(services, _questions(services, turns * len(SIZES) * len(services.deps.models)), progress)
    if picture:
        draw(cells, picture)
    return report(cells)


def _engines(services: Services, settings: Settings, rounds: int, progress: Progress) -> Iterator[str]:
    memory = {engine: _memory_of(engine, settings, _prompt(services, 0)) for engine in ENGINES}
    models = {engine: _load(engine, settings) for engine in ENGINES}
    for chat_model in models.values():
        _generate(chat_model, _prompt(services, 0))
    measured: dict[str, list[Generation]] = {engine: [] for engine in models}
    for number in range(rounds):
        for engine, chat_model in models.items():
            measured[engine].append(_generate(chat_model, _prompt(services, number + 1)))
        progress("engines", number + 1, rounds)
    tokens = _prompt_tokens(models["openvino"], services)
    yield f"## Engines: prompts of about {tokens} tokens, {ANSWER_TOKENS} forced answer tokens, medians of {rounds}\n"
    yield "| | openvino | transformers bfloat16 | ratio |"
    yield "|---|---|---|---|"
    for name, unit, higher_is_better in (
        ("first token", "ms", False),
        ("whole answer", "ms", False),
        ("decode rate", "tokens/s", True),
    ):
        fast, slow = (float(np.median([_value(g, name) for g in measured[engine]])) for engine in ENGINES)
        ratio = fast / slow if higher_is_better else slow / fast
        yield f"| {name} | {fast:.0f} {unit} | {slow:.0f} {unit} | {ratio:.1f} times faster |"
    fast, slow = memory["openvino"], memory["transformers"]
    yield f"| memory, a process of its own | {fast:.0f} MB | {slow:.0f} MB | {slow / fast:.1f} times less |\n"


def _value(generation: Generation, name: str) -> float:
    return {
        "first token": generation.first_token_ms,
        "whole answer": generation.whole_ms,
        "decode rate": generation.rate,
    }[name]


def _prompt(services: Services, number: int) -> list[BaseMessage]:
    """A real product prompt with the facts of one record; another product every round, so that nothing is cached."""
    products = list(services.store.catalog.active().products.values())
    product = products[(number * 17) % len(products)]
    facts = [(1, f"{product.title}: {product.description}")]
    prompt = services.deps.prompts["base"][Route.PRODUCT]
    config = services.store.shop.config
    return to_messages(
        prompt,
        as_facts(facts),
        f"Tell me about the {product.title}.",
        assistant=config.assistant_name,
        shop=config.name,
    )


def _prompt_tokens(chat_model: BaseChatModel, services: Services) -> int:
    reply = chat_model.invoke(_prompt(services, 1), max_tokens=1)
    return (reply.usage_metadata or {"input_tokens": 0})["input_tokens"]


def _generate(chat_model: BaseChatModel, messages: list[BaseMessage]) -> Generation:
    started = time.perf_counter()
    first = None
    for _ in chat_model.stream(messages, max_tokens=ANSWER_TOKENS, min_new_tokens=ANSWER_TOKENS, ignore_eos=True):
        first = first or time.perf_counter()
    ended = time.perf_counter()
    return Generation(((first or ended) - started) * 1000, (ended - started) * 1000)


def _load(engine: Engine, settings: Settings) -> BaseChatModel:
    chosen = settings.model_copy(update={"engine": engine, "model": "smollm2-135m-instruct"})
    return build_served_model(chosen).chat_model


def _memory_of(engine: Engine, settings: Settings, messages: list[BaseMessage]) -> float:
    """Resident MB of a fresh process that does nothing but load the engine and write one answer."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_resident_mb, engine, settings, messages).result()


def _resident_mb(engine: Engine, settings: Settings, messages: list[BaseMessage]) -> float:
    _generate(_load(engine, settings), messages)
    return float(psutil.Process().memory_info().rss) / 1e6


def _retrieval(services: Services, progress: Progress) -> Iterator[str]:
    store = services.store
    version = store.catalog.active()
    queries = [
        f"{product.category} {product.title.split()[0]} for {number} days"
        for number, product in enumerate(version.products.values())
    ]
    took = []
    for number, query in enumerate((queries * (SEARCHES // len(queries) + 1))[:SEARCHES]):
        started = time.perf_counter()
        search_products(version, store.embedder, query, 10, services.deps.weights)
        took.append((time.perf_counter() - started) * 1000)
        progress("searches", number + 1, SEARCHES)
    p50, p99 = np.percentile(took, [50, 99])
    yield f"## Retrieval over {len(version.products)} products, embedding included, {len(took)} searches\n"
    yield f"p50 {p50:.1f} ms, p99 {p99:.1f} ms\n"


class TimedEmbedder:
    """An embedder whose time is counted."""

    def __init__(self, embedder: Embedder, watch: Stopwatch) -> None:
        self._embedder, self._watch = embedder, watch
        self.name, self.revision, self.dimension = embedder.name, embedder.revision, embedder.dimension

    def embed(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Vectors:
        with self._watch.running():
            return self._embedder.embed(texts, progress)


class TimedModel:
    """A served model whose time is counted, from asking for a piece of text to getting it."""

    def __init__(self, model: ServedModel, watch: Stopwatch) -> None:
        self._model, self._watch = model, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def stream_text(self, *args: Any, **kwargs: Any) -> Iterator[str]:
        pieces = self._model.stream_text(*args, **kwargs)
        while True:
            with self._watch.running():
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece


def _overhead(services: Services, turns: int, progress: Progress) -> Iterator[str]:
    watch = Stopwatch()
    timed: Deps = replace(
        services.deps,
        embedder=TimedEmbedder(services.deps.embedder, watch),
        models={**services.deps.models, "base": cast(ServedModel, TimedModel(services.deps.models["base"], watch))},
    )
    rest, total = [], []
    for number, question in enumerate(_questions(services, turns)):
        watch.spent_s = 0.0
        request = TurnRequest(messages=(Message(role="user", content=question),), arm="base")
        started = time.perf_counter()
        run_turn(services.graph, timed, request, lambda _: None, threading.Event())
        total.append((time.perf_counter() - started) * 1000)
        rest.append(total[-1] - watch.spent_s * 1000)
        progress("turns", number + 1, turns)
    p50, p95 = np.percentile(rest, [50, 95])
    yield f"## What is neither model nor embedding, {turns} turns\n"
    yield f"p50 {p50:.1f} ms, p95 {p95:.1f} ms; whole turn p50 {np.median(total):.0f} ms"


class DribblingModel(BaseChatModel):
    """A model that fails in the slowest way: a word every 50 ms, and never a sentence."""

    @property
    def _llm_type(self) -> str:
        return "dribbling"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError("it is only streamed")

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        while True:
            time.sleep(0.05)
            yield ChatGenerationChunk(message=AIMessageChunk(content="well "))


def _failing(services: Services, progress: Progress) -> Iterator[str]:
    """How soon a cited answer of the records is there when the model never comes to a sentence."""
    model = services.deps.models["base"]
    failing = replace(model, chat_model=DribblingModel(), slots=EngineSlots(1, 8), retry_after_s=0.0)
    deps = replace(services.deps, models={"base": failing})
    took = []
    for number, question in enumerate(_questions(services, FAILING_TURNS)):
        request = TurnRequest(messages=(Message(role="user", content=question),), arm="base")
        result = run_turn(services.graph, deps, request, lambda _: None, threading.Event())
        assert result.reduced, "the model was to fail"
        took.append(result.timings_ms.first_sentence)
        progress("failing turns", number + 1, FAILING_TURNS)
    limit = model.first_sentence_timeout_s * 1000
    yield f"\n## A model that never comes to a sentence, {FAILING_TURNS} turns\n"
    yield (
        f"The records answer after {np.median(took):.0f} ms (median; worst {max(took):.0f} ms),"
        f" {np.median(took) / limit:.2f} times the limit of {limit:.0f} ms"
    )


def _questions(services: Services, turns: int) -> list[str]:
    """Product and policy questions in turn, none twice, so that no cached vector helps."""
    version = services.store.catalog.active()
    products = [f"How much is the {product.title}?" for product in version.products.values()]
    policies = [f"{section.heading}, how does that work?" for section in version.policies.values()]
    mixed = [question for pair in zip(products, policies, strict=False) for question in pair]
    return [mixed[number % len(mixed)] for number in range(turns)]
