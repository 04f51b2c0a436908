"""What traces tell of a turn, and what they never tell without being asked to."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from shopbot.accounts import Session
from shopbot.errors import InputError
from tests.tracing import recorded_spans

pytestmark = pytest.mark.model

PRICE = "How much is the Everest Down Jacket?"
SEARCH = "Show me warm jackets for the winter."
DETAILS = "What are the price and the weight of the Everest Down Jacket?"
WRONG = "The Everest Down Jacket costs $1.00 [1]."


@pytest.fixture
def spans() -> Iterator[list[ReadableSpan]]:
    with recorded_spans() as ended:
        yield ended


def named(spans: list[ReadableSpan], name: str) -> ReadableSpan:
    (span,) = [span for span in spans if span.name == name]
    return span


def parents(spans: list[ReadableSpan]) -> dict[str, str | None]:
    """Names of the spans, each with its parent's."""
    by_id = {span.context.span_id: span.name for span in spans}
    return {span.name: by_id.get(span.parent.span_id) if span.parent else None for span in spans}


def told(spans: list[ReadableSpan]) -> str:
    """Everything that would leave the process, as text."""
    return "\n".join(span.to_json() for span in spans)


def test_a_turn_is_one_trace_of_its_nodes_with_search_embedding_and_generation_inside(
    assistant: Any, spans: list[ReadableSpan]
) -> None:
    assistant().ask(PRICE)
    assert parents(spans) == {
        "invoke_workflow shopbot": None,
        "guard": "invoke_workflow shopbot",
        "plan": "invoke_workflow shopbot",
        "route": "invoke_workflow shopbot",
        "retrieval policies": "route",
        "look_up_products": "invoke_workflow shopbot",
        "write": "invoke_workflow shopbot",
        "chat fake": "write",
        "verify": "invoke_workflow shopbot",
        "respond": "invoke_workflow shopbot",
    } | {name: parent for name, parent in parents(spans).items() if name == "embeddings minilm"}
    assert len({span.context.trace_id for span in spans}) == 1


def test_a_question_that_was_never_embedded_has_the_span_of_its_embedding(
    assistant: Any, spans: list[ReadableSpan]
) -> None:
    assistant().ask("Would a cagoule of 327 grams keep me dry on a ferry to Utsira?")
    embeddings = [span for span in spans if span.name == "embeddings minilm"]
    assert embeddings
    assert {span.attributes["gen_ai.embeddings.dimension.count"] for span in embeddings if span.attributes} == {384}


def test_a_search_tells_what_was_searched_and_how_much_was_found(assistant: Any, spans: list[ReadableSpan]) -> None:
    assistant().ask(SEARCH)
    attributes = named(spans, "retrieval products").attributes or {}
    assert (attributes["gen_ai.operation.name"], attributes["gen_ai.data_source.id"]) == ("retrieval", "products")
    assert int(str(attributes["shopbot.hits"])) > 0


def test_a_turn_tells_its_verdict_findings_arm_prompt_and_fingerprint(
    assistant: Any, spans: list[ReadableSpan]
) -> None:
    result = assistant(WRONG).ask(PRICE)
    attributes = named(spans, "invoke_workflow shopbot").attributes or {}
    assert attributes["shopbot.findings"] == len(result.findings) > 0
    assert {
        name: attributes[f"shopbot.{name}"] for name in ("verdict", "role", "arm", "fingerprint", "prompt_hash")
    } == {
        "verdict": "fallback",
        "role": "product",
        "arm": "base",
        "fingerprint": "000000000000",
        "prompt_hash": result.prompt_hash,
    }


def test_a_generation_has_the_names_of_the_conventions(assistant: Any, spans: list[ReadableSpan]) -> None:
    result = assistant().ask(PRICE)
    span = named(spans, "chat fake")
    attributes = span.attributes or {}
    assert span.kind == SpanKind.INTERNAL
    assert (attributes["gen_ai.operation.name"], attributes["gen_ai.provider.name"]) == ("chat", "openvino")
    assert attributes["gen_ai.request.model"] == "fake"
    assert attributes["gen_ai.usage.input_tokens"] == result.tokens.prompt
    assert attributes["gen_ai.usage.output_tokens"] == result.tokens.answer
    assert 0 <= float(str(attributes["gen_ai.response.time_to_first_chunk"])) < 10
    assert attributes["shopbot.circuit"] == "closed"


def test_a_model_elsewhere_is_a_client_span(assistant: Any, spans: list[ReadableSpan]) -> None:
    assistant(engine="openai").ask(PRICE)
    assert named(spans, "chat fake").kind == SpanKind.CLIENT


def test_no_text_of_customers_models_and_records_is_in_a_trace(assistant: Any, spans: list[ReadableSpan]) -> None:
    private = "I am Maya Lindqvist, maya.lindqvist@example.com, order A-57089. "
    made = assistant()
    for question in (
        private + PRICE,
        private + SEARCH,
        private + "How do I return it?",
        private + "Where is my order?",
    ):
        made.ask(question)
    made.ask(private + "Where is my order?", customer_id="C-1001")
    sent = told(spans)
    for text in ("Maya", "lindqvist", "A-57089", "C-1001", "Everest", "$349", "jacket", "return it"):
        assert text not in sent


def test_an_error_is_named_by_its_class_alone(assistant: Any, spans: list[ReadableSpan]) -> None:
    with pytest.raises(InputError):
        assistant().ask(PRICE, arm="Maya")
    span = named(spans, "invoke_workflow shopbot")
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "InputError")
    assert "Maya" not in told(spans)


def test_a_failing_model_is_an_error_of_its_generation_and_not_of_the_turn(
    assistant: Any, spans: list[ReadableSpan]
) -> None:
    from tests.fakes import ScriptedChatModel

    made = assistant(ScriptedChatModel(replies=["x"], error=OSError("gone, Maya")))
    made.ask(PRICE)
    assert named(spans, "chat fake").status.status_code == StatusCode.ERROR
    turn = named(spans, "invoke_workflow shopbot")
    assert turn.status.status_code == StatusCode.UNSET
    assert (turn.attributes or {})["shopbot.verdict"] == "fallback"


def test_with_content_the_trace_has_question_prompt_and_reply(assistant: Any, spans: list[ReadableSpan]) -> None:
    made = assistant()
    made.services.deps.trace_content = True
    made.ask(SEARCH)
    made.ask(PRICE)
    attributes = named(spans, "chat fake").attributes or {}
    asked = json.loads(str(attributes["gen_ai.input.messages"]))
    assert (asked[0]["role"], asked[-1]["role"]) == ("system", "user")
    assert PRICE in asked[-1]["parts"][0]["content"]
    (said,) = json.loads(str(attributes["gen_ai.output.messages"]))
    assert "$349.00" in said["parts"][0]["content"]
    queried = named(spans, "retrieval products").attributes or {}
    assert "jackets" in str(queried["gen_ai.retrieval.query.text"])


def test_content_of_one_turn_does_not_open_the_next(assistant: Any, spans: list[ReadableSpan]) -> None:
    open_one, closed_one = assistant(), assistant()
    open_one.services.deps.trace_content = True
    open_one.ask(PRICE)
    spans.clear()
    closed_one.ask(PRICE)
    assert "gen_ai.input.messages" not in told(spans)


def test_waiting_for_a_yes_is_no_error(assistant: Any, new_home: Path, spans: list[ReadableSpan]) -> None:
    """LangGraph's interrupt is an exception inside the node."""
    services = assistant(home=new_home).services
    services.deps.clock = lambda: datetime(2026, 11, 21, 18, 0, tzinfo=UTC)  # half an hour after the order
    customer = Session(account_id="a", name="Priya", email="p@x.example", role="customer", customer_id="C-1003")
    run_id, conversation_id = services.chat.start("cancel order A-57089", session=customer)
    list(services.chat.events(run_id))
    named(spans, "confirm")
    run_id, _ = services.chat.start("no", conversation_id, session=customer)
    list(services.chat.events(run_id))
    assert [span.name for span in spans].count("confirm") == 2
    assert [span.name for span in spans if span.status.status_code == StatusCode.ERROR] == []
