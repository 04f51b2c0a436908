"""How long whole turns take by the size of their prompts, and what the time goes to, by their own spans."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, cast

import numpy as np
from langchain_core.messages import BaseMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from app.checkpoints import open_checkpointer
from app.wiring import Progress, Services
from graph.build import WAITING, build_graph, run_turn
from graph.deps import Deps
from graph.tracing import Graph
from graph.turn import Message, TurnRequest
from shopbot.cards import Asked
from shopbot.chat_format import as_cards, as_facts
from shopbot.chat_models import ServedModel
from shopbot.chat_models.openvino import OpenVinoChatModel
from shopbot.statements import Source, policy_source, product_source
from shopbot.tracing import span

SIZES = (350, 800, 1500)
"""Tokens of the prompts that are measured; a prompt that is longer by itself stays as it is."""
NEAR_TOKENS = 12
PATIENT_S = 60.0  # the limits are lifted: what is measured is the model, not when it is given up
PARTS = ("route", "look up", "prompt", "decoding", "check", "verify", "other nodes", "checkpoint", "graph")
_CHECKPOINT_CALLS = ("get_tuple", "put", "put_writes", "delete_thread")
_QUESTION = "\nQuestion: "
_BEHIND = 10  # numbers of the further records begin here: the turn's own keep theirs


CountTokens = Callable[[list[BaseMessage]], int]


@dataclass(frozen=True)
class TurnTimes:
    """One turn; times in ms. `prompt_tokens` are of its first generation, 0 where the model was not asked."""

    first_ms: float
    whole_ms: float
    prompt_tokens: int
    model_share: float
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Cell:
    """The turns of one arm at one prompt size; None: another kind of turn, that `name` says."""

    name: str
    size: int | None
    turns: Sequence[TurnTimes]

    def share(self, part: str) -> float:
        return sum(turn.parts[part] for turn in self.turns) / sum(turn.whole_ms for turn in self.turns)

    def mean_ms(self, part: str) -> float:
        return float(np.mean([turn.parts[part] for turn in self.turns]))


class Stopwatch:
    """Adds up the time spent inside something, so that the rest can be told apart."""

    def __init__(self) -> None:
        self.spent_s = 0.0

    @contextmanager
    def running(self) -> Generator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent_s += time.perf_counter() - started


class SpanCollector(SpanProcessor):
    """Keeps the ended spans of this process until they are taken."""

    def __init__(self) -> None:
        self._ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self._ended.append(span)

    def take(self) -> list[ReadableSpan]:
        taken, self._ended = self._ended, []
        return taken


def collect_spans() -> SpanCollector:
    """Listen to the spans of this process, beside whatever the settings do with them."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    collector = SpanCollector()
    provider.add_span_processor(collector)
    return collector


class GrownPrompts:
    """A served model whose prompts are brought to a size by further records of the catalog, put behind the turn's own.

    The records are rendered as the application renders them: facts, product cards, or texts of policy sections. `watch`
    is the time that this takes, which is the bench's and not the turn's.
    """

    def __init__(self, model: ServedModel, count: CountTokens, services: Services, size: int, watch: Stopwatch) -> None:
        self._count = count
        self._model, self._services, self._size, self._watch = model, services, size, watch
        self.prompt_tokens: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def stream_text(self, messages: Sequence[BaseMessage], **options: Any) -> Iterator[str]:
        with self._watch.running():
            grown = self._grown(list(messages))
            self.prompt_tokens.append(self._count(grown))
        return self._model.stream_text(grown, **options)

    def _grown(self, messages: list[BaseMessage]) -> list[BaseMessage]:
        """Add whole records while they fit, then as many words of the next as still do."""
        *before, last = messages
        context, _, question = str(last.text).rpartition(_QUESTION)

        def with_(more: str) -> list[BaseMessage]:
            return [*before, HumanMessage(f"{context}{more}{_QUESTION}{question}")]

        more = ""
        for record in self._records(context):
            words = record.split(" ")
            while words and self._count(with_(f"{more}\n{' '.join(words)}")) > self._size:
                words = words[: len(words) // 2]
            more += f"\n{' '.join(words)}" if words else ""
            if self._count(with_(more)) > self._size - NEAR_TOKENS:
                break
        return with_(more)

    def _records(self, context: str) -> Iterator[str]:
        """Further records, rendered like those of the context."""
        version, facts = self._services.store.catalog.active(), self._services.store.facts
        locale = self._services.store.shop.config.locale
        if context.startswith("Sections:"):
            sections = enumerate(version.policies.values(), start=_BEHIND)
            yield from (_body(as_cards([policy_source(number, section)])) for number, section in sections)
            return
        ids = list(version.products)[5:]
        live = facts.read(ids)
        for number, record_id in enumerate(ids, start=_BEHIND):
            source = product_source(number, version.products[record_id], live.get(record_id), locale)
            yield _as_facts(source) if context.startswith("Facts:") else _as_card(source)


def _body(rendered: str) -> str:
    return rendered.partition("\n")[2]


def _as_facts(source: Source) -> str:
    return _body(as_facts((source.number, statement.text) for statement in source.statements))


def _as_card(source: Source) -> str:
    return _body(as_cards([source], {source.number: Asked(lines=source.statements)}))


def measure(services: Services, questions: Sequence[str], progress: Progress) -> list[Cell]:
    """Run turns at each size and arm, sizes and arms by turns, and turns that propose a change to an order.

    The questions are shared out: an arm that asked what another has asked before would find their vectors remembered.
    """
    collector = collect_spans()
    saver = open_checkpointer(services.store.settings)
    _time_calls(saver)
    graph = build_graph(saver)
    watch = Stopwatch()
    run = partial(_timed_turn, graph, collector, watch)
    kinds = [(arm, size) for size in SIZES for arm in services.deps.models]
    found: dict[tuple[str, int], list[TurnTimes]] = defaultdict(list)
    turns = len(questions) // len(kinds)
    for number in range(turns):
        for place, (arm, size) in enumerate(kinds):
            model = services.deps.models[arm]
            count = cast(OpenVinoChatModel, model.chat_model).count_tokens  # the bench opens the embedded default
            grown = GrownPrompts(_patient(model), count, services, size, watch)
            deps = replace(services.deps, models={**services.deps.models, arm: cast(ServedModel, grown)})
            request = TurnRequest(messages=(Message(role="user", content=questions[place * turns + number]),), arm=arm)
            turn = run(deps, request, f"bench-{number}-{arm}-{size}")
            if grown.prompt_tokens:
                found[arm, size].append(replace(turn, prompt_tokens=grown.prompt_tokens[0]))
        progress("prompt sizes", number + 1, turns)
    proposals = list(_proposals(services, graph, run, turns))
    cells = [Cell(arm, size, found[arm, size]) for arm in services.deps.models for size in SIZES]
    return [*cells, Cell("a proposed change", None, proposals)]


def _patient(model: ServedModel) -> ServedModel:
    return replace(model, first_sentence_timeout_s=PATIENT_S, stall_timeout_s=PATIENT_S, retry_after_s=0.0)


def _timed_turn(
    graph: Graph, collector: SpanCollector, aside: Stopwatch, deps: Deps, request: TurnRequest, conversation_id: str
) -> TurnTimes:
    """Run one turn as a conversation does, its checkpoint included; until the first sentence and until its end.

    The clock stands still while `aside` runs.
    """
    shown: list[float] = []
    collector.take()
    aside.spent_s = 0.0
    started = time.perf_counter()

    def elapsed_ms() -> float:
        return (time.perf_counter() - started - aside.spent_s) * 1000

    def listener(event: dict[str, Any]) -> None:
        if event["kind"] == "sentence":
            shown.append(elapsed_ms())

    result = run_turn(graph, deps, request, listener, threading.Event(), conversation_id)
    whole_ms = elapsed_ms()
    parts = parts_of(collector.take(), whole_ms, aside.spent_s * 1000)
    return TurnTimes(shown[0], whole_ms, 0, result.model_share, parts)


def _proposals(services: Services, graph: Graph, run: Callable[..., TurnTimes], most: int) -> Iterator[TurnTimes]:
    """Turns after which a proposal waits in the checkpoint; nothing is ever changed, because nobody says yes."""
    orders = services.deps.orders
    customers = orders.customers()
    placed = [order for customer in customers for order in orders.of(customer.id)]
    clock = max(order.placed_at for order in placed)
    deps = replace(services.deps, clock=lambda: clock)
    saver = cast(BaseCheckpointSaver[str], graph.checkpointer)
    made = 0
    for order, text in ((order, text) for order in placed for text in ("Cancel order {}", "I want to return order {}")):
        request = TurnRequest(
            messages=(Message(role="user", content=text.format(order.id)),), customer_id=order.customer_id
        )
        conversation = f"bench-{order.id}-{text}"
        turn = run(deps, request, conversation)
        waits = graph.get_state({"configurable": {"thread_id": conversation}}).next == WAITING
        saver.delete_thread(conversation)
        if waits:
            yield turn
            made += 1
        if made == most:
            return


def _time_calls(saver: BaseCheckpointSaver[Any]) -> None:
    """Put a span around whatever reads or writes checkpoints."""
    for name in _CHECKPOINT_CALLS:
        setattr(saver, name, _in_span(getattr(saver, name)))


def _in_span(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def timed(*args: Any, **kwargs: Any) -> Any:
        with span("checkpoint", {}):
            return call(*args, **kwargs)

    return timed


def parts_of(spans: Iterable[ReadableSpan], whole_ms: float, aside_ms: float = 0.0) -> dict[str, float]:
    """What a turn's time went to, in ms, by PARTS; "graph" is what no span covers: LangGraph itself.

    `aside_ms` were spent inside `write` without being the turn's own.
    Writing a checkpoint may overlap a node by a little, which "graph" then misses; it is never below 0.
    """
    parts = dict.fromkeys(PARTS, 0.0)
    writing = 0.0
    for ended in spans:
        took, attributes = _ms_of(ended), ended.attributes or {}
        if ended.name.startswith("chat "):
            prompt = min(took, float(cast(float, attributes.get("gen_ai.response.time_to_first_chunk", took))) * 1000)
            parts["prompt"] += prompt
            parts["decoding"] += took - prompt
            writing += took
        elif "shopbot.node" in attributes:
            parts[_part_of(ended.name)] += took
        elif ended.name == "checkpoint":
            parts["checkpoint"] += took
    parts["check"] = max(0.0, parts["check"] - writing - aside_ms)
    parts["graph"] = max(0.0, whole_ms - sum(parts.values()))
    return parts


def _part_of(node: str) -> str:
    if node.startswith("look_up"):
        return "look up"
    return {"route": "route", "write": "check", "verify": "verify"}.get(node, "other nodes")


def _ms_of(ended: ReadableSpan) -> float:
    return ((ended.end_time or 0) - (ended.start_time or 0)) / 1e6


def report(cells: Sequence[Cell]) -> Iterator[str]:
    """The tables: times by arm and size, then shares."""
    yield "## Whole turns by the size of their prompts\n"
    yield "| | prompt tokens | turns | first checked sentence p50 | p95 | whole answer p50 | p95 | by the model |"
    yield "|---|---|---|---|---|---|---|---|"
    for cell in cells:
        yield f"| {_name(cell)} | {' | '.join(_row(cell))} |"
    yield "\n### What the time goes to\n"
    yield f"| | {' | '.join(PARTS)} |"
    yield f"|---|{'---|' * len(PARTS)}"
    for cell in cells:
        yield f"| {_name(cell)} | {' | '.join(f'{cell.share(part):.1%}' for part in PARTS)} |"


def _row(cell: Cell) -> Iterator[str]:
    yield f"{np.median([turn.prompt_tokens for turn in cell.turns]):.0f}" if cell.size else "none"
    yield str(len(cell.turns))
    for measured in ([turn.first_ms for turn in cell.turns], [turn.whole_ms for turn in cell.turns]):
        yield from (f"{value:.0f} ms" for value in np.percentile(measured, [50, 95]))
    yield f"{np.mean([turn.model_share for turn in cell.turns]):.0%}"


def _name(cell: Cell) -> str:
    return f"{cell.name}, {cell.size}" if cell.size else cell.name


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Draw mean milliseconds as stacked bars, one an arm and size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 0.55 * len(cells) + 1.6))
    names = [_name(cell) for cell in cells]
    left = np.zeros(len(cells))
    for number, part in enumerate(PARTS):
        widths = np.array([cell.mean_ms(part) for cell in cells])
        axes.barh(names, widths, left=left, label=part, color=pyplot.get_cmap("tab10")(number))
        left += widths
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds a turn, mean")
    axes.set_title("What a turn's time goes to, by arm and prompt tokens")
    axes.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.18), frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
