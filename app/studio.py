"""What LangGraph's own tools open: the workflow behind a state of messages, as `langgraph.json` names it.

It is for developers. The tools show everything that passes through the workflow, drafts that were held back included,
and know nothing of the shop's sign-in: whoever asks here is a visitor.
"""

import threading
from functools import cache
from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from pydantic import ValidationError
from typing_extensions import TypedDict  # pydantic, which makes the schemas, can't read typing's before 3.12

from app.offline import no_network
from app.wiring import Services, open_services
from graph.build import build_graph, run_turn
from graph.turn import Message, TurnRequest
from shopbot.errors import InputError
from shopbot.settings import load_settings

_ROLES = {"human": "user", "ai": "assistant"}  # LangChain's names for ours
_loading = threading.Lock()


class Asked(TypedDict, total=False):
    """A request as `ask --batch` takes it, but for whose orders it is about: that is a session's to say."""

    messages: Annotated[list[AnyMessage], add_messages]
    arm: str | None
    audience: str


class Conversation(Asked, total=False):
    """A thread: its messages and the account of the latest turn, as in docs/interfaces.md."""

    result: dict[str, Any]


def make_graph() -> CompiledStateGraph[Conversation, None, Asked, Conversation]:
    """Compile the graph that `langgraph.json` names; models are loaded with the first message, not here.

    The workflow is the one that page, API and command line run. It stands inside a node, where the tools find and
    unfold it, because a thread of theirs is messages and a turn's state is not.
    """
    workflow = build_graph()

    def shopbot(state: Conversation, runtime: Runtime[None]) -> Conversation:
        request = request_of(state)
        result = run_turn(workflow, _services().deps, request, runtime.stream_writer, threading.Event())
        return {"messages": [AIMessage(result.answer)], "result": result.model_dump(mode="json")}

    graph = StateGraph(Conversation, input_schema=Asked)
    graph.add_node("shopbot", shopbot)
    graph.add_edge(START, "shopbot")
    graph.add_edge("shopbot", END)
    return graph.compile(name="shopbot")


def request_of(state: Conversation) -> TurnRequest:
    """Read a thread as a request for its next turn. Raises InputError for one that is none."""
    messages = tuple(_message_of(message) for message in state.get("messages", []))
    try:
        return TurnRequest(messages=messages, arm=state.get("arm"), audience=state.get("audience", "customer"))
    except ValidationError as error:
        (first, *_) = error.errors()
        raise InputError(".".join(map(str, first["loc"])), first["msg"]) from error


def _message_of(message: AnyMessage) -> Message:
    if message.type not in _ROLES:
        raise InputError("messages", f"role {message.type!r} is none of 'user' and 'assistant'; leave it out")
    return Message.model_validate({"role": _ROLES[message.type], "content": str(message.text)})


def _services() -> Services:
    """Everything that answering needs, opened once a process, by whoever comes first."""
    with _loading:
        return _opened()


@cache
def _opened() -> Services:
    no_network()
    return open_services(load_settings(), lambda *_: None)
