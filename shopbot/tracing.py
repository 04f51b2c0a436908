"""Spans by OpenTelemetry's API: what a turn did and how long it took, never what was said unless that is asked for.

Code below `app` only uses the API, whose spans are empty until an entry point has set an SDK up (`app/tracing.py`).
Attributes have the names of the semantic conventions for generative AI (opentelemetry.io/docs/specs/semconv/gen-ai),
and `shopbot.*` where those have none. Ids of conversations and customers are not among them: the first are keys, the
second are personal data.
"""

import inspect
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from shopbot.types import Hit

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from shopbot.chat_models.decoding import Decoding
    from shopbot.chat_models.serving import ServedModel, Timings

P = ParamSpec("P")
tracer = trace.get_tracer("shopbot")
# Whether spans of this turn may hold what people and models wrote; off outside of turns.
takes_content: ContextVar[bool] = ContextVar("takes_content", default=False)
_ROLES = {"human": "user", "ai": "assistant"}  # LangChain's names for the conventions' ones


@contextmanager
def span(
    name: str, attributes: dict[str, AttributeValue], unless: type[Exception] | tuple[type[Exception], ...] = ()
) -> Generator[Span]:
    """Open a span around a block; an error is named by its class only, because its message may quote a customer.

    `unless` are exceptions by which a block ends as it should.
    """
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except unless:
            raise
        except Exception as error:
            _mark_failed(current, error)
            raise


def _mark_failed(current: Span, error: Exception) -> None:
    current.set_attribute("error.type", type(error).__name__)
    current.set_status(Status(StatusCode.ERROR))


def traced_search(source: str) -> Callable[[Callable[P, list[Hit]]], Callable[P, list[Hit]]]:
    """Decorate a search: a span with what was searched, how many records came back and, with content, the query."""

    def decorate(search: Callable[P, list[Hit]]) -> Callable[P, list[Hit]]:
        place = list(inspect.signature(search).parameters).index("query")

        @wraps(search)
        def traced(*args: P.args, **kwargs: P.kwargs) -> list[Hit]:
            told = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": source}
            with span(f"retrieval {source}", {**told}) as current:
                hits = search(*args, **kwargs)
                current.set_attribute("shopbot.hits", len(hits))
                if takes_content.get():
                    query = args[place] if len(args) > place else kwargs["query"]
                    current.set_attribute("gen_ai.retrieval.query.text", str(query))
                return hits

        return traced

    return decorate


def embedding_span(model: str, dimension: int, texts: int) -> AbstractContextManager[Span]:
    """Open the span of one call of an embedder that really computes; vectors from a cache have none."""
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.request.model": model,
        "gen_ai.embeddings.dimension.count": dimension,
        "shopbot.texts": texts,
    }
    return span(f"embeddings {model}", attributes)


@contextmanager
def generation_span(
    model: "ServedModel", messages: "Sequence[BaseMessage]", decoding: "Decoding", timings: "Timings"
) -> Iterator[Callable[[str], None]]:
    """Open the span of one generation; call what is yielded with each piece of the reply.

    It does not become the current span: a generator that yields in between would leave it to its caller.
    """
    kind = SpanKind.INTERNAL if model.is_embedded else SpanKind.CLIENT
    current = tracer.start_span(f"chat {model.name}", kind=kind, attributes=_request(model, decoding))
    has_content = current.is_recording() and takes_content.get()
    reply: list[str] = []
    try:
        yield reply.append if has_content else _forget
    except Exception as error:
        _mark_failed(current, error)
        raise
    finally:
        current.set_attributes(_usage(timings))
        if has_content:
            current.set_attribute("gen_ai.input.messages", _as_json([(m.type, str(m.text)) for m in messages]))
            current.set_attribute("gen_ai.output.messages", _as_json([("ai", "".join(reply))]))
        current.end()


def _forget(piece: str) -> None:
    """Keep nothing of a reply."""


def _request(model: "ServedModel", decoding: "Decoding") -> dict[str, AttributeValue]:
    provider = model.name.partition(":")[0] if model.engine == "langchain" else model.engine
    known: dict[str, AttributeValue | None] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model.name,
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": decoding.temperature,
        "gen_ai.request.max_tokens": decoding.max_tokens,
        "shopbot.arm": model.arm,
        "shopbot.fingerprint": model.fingerprint,
        "shopbot.circuit": model.health.state,
    }
    return {name: value for name, value in known.items() if value is not None}


def _usage(timings: "Timings") -> dict[str, AttributeValue]:
    first = None if timings.first_token_ms is None else timings.first_token_ms / 1000  # the conventions' unit
    known = {
        "gen_ai.usage.input_tokens": timings.prompt_tokens,
        "gen_ai.usage.output_tokens": timings.answer_tokens,
        "gen_ai.response.time_to_first_chunk": first,
        "shopbot.queued_ms": timings.queued_ms,
    }
    return {name: value for name, value in known.items() if value is not None}


def _as_json(texts: Sequence[tuple[str, str]]) -> str:
    """Render (role, text) as the conventions want messages in an attribute."""
    messages = [{"role": _ROLES.get(role, role), "parts": [{"type": "text", "content": text}]} for role, text in texts]
    return json.dumps(messages, ensure_ascii=False)
