"""The workflow itself. `docs/architecture.md` shows the diagram that is drawn from the compiled graph."""

import threading
from collections.abc import Callable
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.audiences import describe
from graph.consent import confirm
from graph.deps import Deps, Turn
from graph.desk import look_up_orders
from graph.errands import has_errands, next_errand, plan
from graph.handoff import hand_over
from graph.memory import remembered
from graph.nodes import guard, look_up_policies, look_up_products, respond, route, small_talk
from graph.promotions import look_up_promotions
from graph.routing import Route
from graph.state import State
from graph.tracing import traced_node, traced_turn
from graph.turn import Message, TurnRequest, TurnResult
from graph.write import verify, write
from shopbot.descriptions import asks_to_write
from shopbot.errors import InputError, NotAvailable
from shopbot.types import AUDIENCES

# The longest way through the graph has five nodes for each of three errands and five around them; a question in place
# of the answer to a proposal begins once more.
RECURSION_LIMIT = 40
WAITING = ("confirm",)
Listener = Callable[[dict[str, Any]], None]


def build_graph(checkpointer: BaseCheckpointSaver[str] | None = None) -> CompiledStateGraph[State, Turn, State, State]:
    """Compile guard -> plan -> route -> look up -> write -> verify -> respond; with a checkpointer also -> confirm."""
    graph = StateGraph(State, context_schema=Turn)
    for node in (
        guard,
        plan,
        route,
        look_up_products,
        look_up_policies,
        look_up_orders,
        look_up_promotions,
        describe,
        hand_over,
        small_talk,
        write,
        verify,
        next_errand,
        respond,
        confirm,
    ):
        graph.add_node(node.__name__, traced_node(node))
    graph.add_edge(START, "guard")
    graph.add_conditional_edges("guard", is_refused, {True: "respond", False: "plan"})
    for first in ("plan", "next_errand"):
        graph.add_edge(first, "route")
    graph.add_conditional_edges(
        "route",
        handled_by,
        {
            "description": "describe",
            Route.PRODUCT: "look_up_products",
            Route.POLICY: "look_up_policies",
            Route.ORDER: "look_up_orders",
            Route.PROMOTION: "look_up_promotions",
            Route.HANDOFF: "hand_over",
            Route.OTHER: "small_talk",
        },
    )
    for look_up in ("look_up_products", "look_up_policies"):
        graph.add_conditional_edges(look_up, next_after_look_up, ["write", "verify"])
    graph.add_edge("write", "verify")
    for look_up in ("look_up_orders", "look_up_promotions"):
        graph.add_edge(look_up, "verify")
    for last in ("verify", "small_talk"):
        graph.add_conditional_edges(last, has_errands, {True: "next_errand", False: "respond"})
    for last in ("describe", "hand_over"):
        graph.add_edge(last, "respond")
    graph.add_conditional_edges("respond", is_waiting, {True: "confirm", False: END})
    return graph.compile(checkpointer=checkpointer)


def is_refused(state: State) -> bool:
    return state["refused"]


def is_waiting(state: State) -> bool:
    """Whether a proposed change waits for the customer's next message."""
    return state.get("change") is not None


def handled_by(state: State) -> str:
    """The role that looks the answer up; a merchandiser who wants a text about a product gets one written."""
    is_asked_to = state["request"].audience == "merchandiser" and asks_to_write(state["question"])
    may_be = state["focus"] or state["route"] in (Route.PRODUCT, Route.OTHER)
    return "description" if is_asked_to and may_be else state["route"]


def next_after_look_up(state: State, runtime: Runtime[Turn]) -> str:
    """A list of suggestions is put together from the records; the model writes about the records that were asked for.

    A model that was not tuned loses the thread over several records: their comparison is put together, too. Staff get
    the figures themselves.
    """
    turn = runtime.context
    if state["request"].audience != "customer":
        return "verify"
    if turn.prompt(state["route"]).layout == "cards":
        return "write" if state["sources"] or state["lead"] else "verify"
    return "write" if state["points"] and not state["as_list"] else "verify"


@traced_turn
def run_turn(
    graph: CompiledStateGraph[State, Turn, State, State],
    deps: Deps,
    request: TurnRequest,
    listener: Listener,
    cancelled: threading.Event,
    conversation_id: str | None = None,
) -> TurnResult:
    """Run one turn to its end and return the result; `listener` gets every event as it happens.

    With a conversation, and a graph that has a checkpointer, a proposal of the turn before is answered by this one.

    Events: {"kind": "sentence", text, author, block, citations, prompt_hash} and, last, {"kind": "done", result}.
    Raises InputError or NotAvailable for a request that cannot be served, CatalogEmpty before the first publish.
    """
    check_request(request, deps)
    saver = graph.checkpointer if conversation_id is not None else None
    keeps = isinstance(saver, BaseCheckpointSaver)
    turn = Turn(deps, deps.catalog.active(), request.arm or deps.default_arm, cancelled, keeps, conversation_id)
    turn.request = request = remembered(request, turn)
    config: RunnableConfig = {"recursion_limit": RECURSION_LIMIT}
    begin: State | Command[Any] = {"change": None}  # no more than that: what a turn begins with is kept
    how: dict[str, Any] = {"context": turn, "stream_mode": "custom"}
    if keeps:
        config["configurable"] = {"thread_id": conversation_id}
        how["durability"] = "sync"  # a proposal is on disk before the turn that made it is over
        if graph.get_state(config).next == WAITING:
            begin = Command(resume=True)
    result: TurnResult | None = None
    for event in graph.stream(begin, config, **how):
        listener(event)
        if event["kind"] == "done":
            result = TurnResult.model_validate(event["result"])
    assert result is not None  # every path through the graph ends in `respond`
    if isinstance(saver, BaseCheckpointSaver) and graph.get_state(config).next != WAITING:
        saver.delete_thread(conversation_id or "")  # nothing waits in it
    return result


def read_messages(deps: Deps, messages: tuple[Message, ...]) -> State:
    """What a turn decides before it asks a model: its route, sections, product and the fields that are asked for."""
    request = TurnRequest(messages=messages)
    turn = Turn(deps, deps.catalog.active(), deps.default_arm, threading.Event(), request=request)
    runtime = Runtime(context=turn, stream_writer=lambda _: None)
    state = guard({}, runtime)
    if not state["refused"]:
        state |= plan(state, runtime)
        state |= route(state, runtime)
    return state | look_up_products(state, runtime) if state["route"] == Route.PRODUCT else state


def check_request(request: TurnRequest, deps: Deps) -> None:
    """Raise InputError or NotAvailable for a request that no turn can serve."""
    if request.messages[-1].role != "user":
        raise InputError("messages", "the last message has to be the customer's (role 'user')")
    if request.arm is not None and request.arm not in deps.models:
        if request.arm != "tuned":
            raise InputError("arm", f"unknown arm {request.arm!r}; arms are 'base' and 'tuned'")
        raise NotAvailable("arm", "tuned", "this shop has no adapter, or it does not fit the engine; use 'base'")
    if request.audience not in AUDIENCES:
        raise InputError("audience", f"unknown audience {request.audience!r}; there are {', '.join(AUDIENCES)}")
