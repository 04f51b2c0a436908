"""Spans of the workflow: one for a turn, one for each node that it passes."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from langgraph.errors import GraphBubbleUp
from langgraph.graph.state import CompiledStateGraph
from opentelemetry.util.types import AttributeValue

from graph.deps import Deps, Turn
from graph.state import State
from graph.turn import TurnResult
from shopbot.tracing import span, takes_content

P = ParamSpec("P")
Graph = CompiledStateGraph[State, Turn, State, State]
RunTurn = Callable[Concatenate[Graph, Deps, P], TurnResult]
WORKFLOW = "shopbot"


def traced_node(node: Callable[..., Any]) -> Callable[..., Any]:
    """Run a node inside a span of its name; waiting for the customer's answer is no failure."""

    @wraps(node)
    def traced(state: Any, runtime: Any) -> Any:
        with span(node.__name__, {"shopbot.node": node.__name__}, unless=GraphBubbleUp):
            return node(state, runtime)

    return traced


def traced_turn(run: RunTurn[P]) -> RunTurn[P]:
    """Run a turn inside a span that tells its outcome, and says whether the spans below may hold content."""

    @wraps(run)
    def traced(graph: Graph, deps: Deps, /, *args: P.args, **kwargs: P.kwargs) -> TurnResult:
        token = takes_content.set(deps.trace_content)
        named = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": WORKFLOW}
        try:
            with span(f"invoke_workflow {WORKFLOW}", {**named}) as current:
                result = run(graph, deps, *args, **kwargs)
                current.set_attributes(outcome(result))
                return result
        finally:
            takes_content.reset(token)

    return traced


def outcome(result: TurnResult) -> dict[str, AttributeValue]:
    """What a turn's span tells of it: how the answer came about, by which model and prompt; no text."""
    known: dict[str, AttributeValue | None] = {
        "shopbot.role": result.role,
        "shopbot.verdict": result.verdict,
        "shopbot.findings": len(result.findings),
        "shopbot.model_share": result.model_share,
        "shopbot.arm": result.arm,
        "shopbot.fingerprint": result.fingerprint,
        "shopbot.prompt_hash": result.prompt_hash,
        "shopbot.catalog_version": result.catalog_version,
        "shopbot.reduced": result.reduced,
        "shopbot.stopped": result.stopped,
        "shopbot.first_sentence_ms": result.timings_ms.first_sentence,
        "gen_ai.usage.input_tokens": result.tokens.prompt,
        "gen_ai.usage.output_tokens": result.tokens.answer,
    }
    return {name: value for name, value in known.items() if value is not None}
