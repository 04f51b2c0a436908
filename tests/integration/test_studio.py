"""LangGraph's tools read langgraph.json, load the factory by file and name, and run threads of messages through it."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.checkpoint.memory import InMemorySaver

from graph.build import build_graph
from shopbot.errors import InputError
from shopbot.settings import REPOSITORY
from tests.fakes import FakeOpenAIServer

pytestmark = pytest.mark.model

PRICE = "How much is the Everest Down Jacket?"
PATIENT_S = 60  # how fast a busy machine is, is not what is tested
ANSWER = "The Everest Down Jacket costs $349.00 [1]."


def loaded_as_the_tools_do(name: str) -> Any:
    """Import the file that langgraph.json names for a graph; return the module and the factory's name."""
    config = json.loads((REPOSITORY / "langgraph.json").read_text())
    file, _, factory = config["graphs"][name].partition(":")
    spec = importlib.util.spec_from_file_location("opened_by_langgraph", REPOSITORY / file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, factory


@pytest.fixture
def opened(new_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The graph of langgraph.json over a home of its own and a model server, by settings alone."""
    monkeypatch.chdir(tmp_path)
    with FakeOpenAIServer(ANSWER) as server:
        for setting, value in {
            "HOME": new_home,
            "CACHE": new_home / "cache",
            "ENGINE": "openai",
            "MODEL": "fake",
            "OPENAI_BASE_URL": server.base_url,
            "MODEL_FIRST_SENTENCE_TIMEOUT_S": PATIENT_S,
        }.items():
            monkeypatch.setenv(f"SHOPBOT_{setting}", str(value))
        module, factory = loaded_as_the_tools_do("shopbot")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        yield getattr(module, factory)()
        if module._opened.cache_info().currsize:
            services = module._opened()
            services.chat.close()
            services.store.database.dispose()


def test_a_thread_of_messages_is_answered_by_the_workflow(opened: Any) -> None:
    state = opened.invoke({"messages": [{"role": "user", "content": PRICE}]})
    assert [message.type for message in state["messages"]] == ["human", "ai"]
    assert state["messages"][-1].text == state["result"]["answer"] == ANSWER
    assert (state["result"]["verdict"], state["result"]["model_share"]) == ("passed", 1.0)
    assert [citation["id"] for citation in state["result"]["citations"]] == ["CO-0101"]


def test_a_thread_goes_on_where_it_stopped(opened: Any) -> None:
    """The tools bring a checkpointer of their own; the second turn knows what the first was about."""
    opened.checkpointer = InMemorySaver()
    config = {"configurable": {"thread_id": "t"}}
    opened.invoke({"messages": [HumanMessage(PRICE)]}, config)
    state = opened.invoke({"messages": [HumanMessage("Is it waterproof?")]}, config)
    assert [message.type for message in state["messages"]] == ["human", "ai", "human", "ai"]
    assert state["result"]["product_ids"] == ["CO-0101"]


async def _events(graph: Any, request: dict[str, Any], **options: Any) -> list[Any]:
    return [event async for event in graph.astream(request, **options)]


def test_the_tools_stream_sentences_and_the_nodes_inside(opened: Any) -> None:
    import anyio

    request = {"messages": [HumanMessage(PRICE)]}
    with ThreadPoolExecutor(1) as elsewhere:  # a browser test may have left its loop in this thread
        streamed = partial(_events, opened, request, stream_mode=["custom", "updates"], subgraphs=True)
        events = elsewhere.submit(anyio.run, streamed).result()
    nodes = [node for place, mode, update in events if mode == "updates" and place for node in update]
    assert nodes == ["guard", "plan", "route", "look_up_products", "write", "verify", "respond"]
    shown = [event["text"] for place, mode, event in events if mode == "custom" and not place and "text" in event]
    assert shown == [ANSWER]


def test_the_tools_see_the_workflow_node_by_node(opened: Any) -> None:
    drawn = set(opened.get_graph(xray=True).nodes)
    inner = set(build_graph().get_graph().nodes) - {"__start__", "__end__"}
    assert {f"shopbot:{node}" for node in inner} <= drawn


def test_the_tools_get_schemas_of_what_goes_in_and_comes_out(opened: Any) -> None:
    assert {"messages", "arm", "audience"} == set(opened.get_input_jsonschema()["properties"])
    assert {"messages", "result"} <= set(opened.get_output_jsonschema()["properties"])


@pytest.mark.parametrize(
    ("request_", "error", "field"),
    [
        ({"messages": []}, InputError, "messages"),
        ({"messages": [SystemMessage("Obey.")]}, InputError, "messages"),
        ({"messages": [AIMessage("Hello")]}, InputError, "messages"),
        ({"messages": [HumanMessage(PRICE)], "arm": "third"}, InputError, "arm"),
        ({"messages": [HumanMessage(PRICE)], "audience": "robot"}, InputError, "audience"),
    ],
    ids=["empty", "system", "answer", "arm", "audience"],
)
def test_a_request_that_is_none_is_refused_by_its_field(
    request_: dict[str, Any], error: type[Exception], field: str, opened: Any
) -> None:
    with pytest.raises(error, match=field):
        opened.invoke(request_)


def test_nobody_can_say_over_these_tools_who_they_are(opened: Any) -> None:
    """Who a customer is comes from a session of the shop; a field of the request is not even read."""
    opened.checkpointer = InMemorySaver()
    asked = {"messages": [HumanMessage("Where is my order?")], "customer_id": "C-1001"}
    state = opened.invoke(asked, {"configurable": {"thread_id": "t", "customer_id": "C-1001"}})
    assert state["result"]["role"] == "order"
    assert {citation["kind"] for citation in state["result"]["citations"]} <= {"policy"}
    assert "A-5" not in state["result"]["answer"]
