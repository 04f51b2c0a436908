"""What tests share: an environment of their own, one real catalog a session, assistants with a scripted model.

Imports of the application stay inside the fixtures: unit tests are to start in a moment.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

    from app.wiring import Services
    from graph.turn import TurnResult
    from shopbot.embedding import Embedder
    from shopbot.settings import Settings

COMPLETE = "SHOPBOT_TESTS_COMPLETE"
"""Set by `make test`: a component that is missing there is a failure, not a skip."""
OPTIONAL = "public_data"
"""The one mark whose tests may be skipped even then."""


# ---------------------------------------------------------------- the session


def pytest_configure(config: pytest.Config) -> None:
    """Take the developer's settings away, and the network: tests say themselves what they run with."""
    from shopbot.settings import PREFIX, TEST_PREFIXES

    for name in list(os.environ):
        if name.upper().startswith(PREFIX) and not name.startswith(TEST_PREFIXES):
            del os.environ[name]
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _skipped(config: pytest.Config) -> tuple[list[str], list[str]]:
    """Return the skipped tests: those that may be, and those that may not."""
    reports = config.pluginmanager.get_plugin("terminalreporter").stats.get("skipped", [])
    allowed = [report.nodeid for report in reports if OPTIONAL in report.keywords]
    return allowed, [report.nodeid for report in reports if OPTIONAL not in report.keywords]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get(COMPLETE) == "1" and _skipped(session.config)[1]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    allowed, forbidden = _skipped(config)
    if allowed:
        terminalreporter.section(f"skipped: {OPTIONAL} is absent")
        terminalreporter.write_line("\n".join(allowed))
    if forbidden and os.environ.get(COMPLETE) == "1":
        terminalreporter.section("FAILED: skipped although everything has to run", red=True)
        terminalreporter.write_line("\n".join(forbidden))


# ---------------------------------------------------------------- homes and assistants


def nothing(*_: object) -> None:
    """A progress display that shows nothing."""


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    from shopbot.embedding import load_embedder

    return load_embedder("minilm")


@pytest.fixture(scope="session")
def cairn_home(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the sample shop's own catalog; a template: copy it (`new_home`), never open it."""
    from app.wiring import initialise, open_store

    home = tmp_path_factory.mktemp("template") / "home"
    store = open_store(settings_in(home), embedder)
    initialise(store, nothing)
    store.database.dispose()
    return home


@pytest.fixture
def new_home(cairn_home: Path, tmp_path: Path) -> Path:
    """A home of the test's own with the sample catalog in it."""
    return Path(shutil.copytree(cairn_home, tmp_path / "home"))


def settings_in(home: Path, **values: Any) -> Settings:
    from shopbot.settings import Settings

    return Settings(_env_file=None, home=home, cache=home / "cache", **values)  # type: ignore[call-arg]


def repeat_facts(messages: Sequence[BaseMessage]) -> str:
    """What a model that does its work says: every fact of the prompt, with its source."""
    facts = str(messages[-1].text).removeprefix("Facts:\n").partition("\nQuestion: ")[0]
    lines = [line.partition("] ") for line in facts.splitlines()]
    return " ".join(f"{fact.rstrip('.')} {number}]." for number, _, fact in lines)


@dataclass
class Assistant:
    """A wired assistant with a model of the test's; `events` are those of the last turn that was asked."""

    services: Services
    model: BaseChatModel
    events: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, *texts: str, **request: Any) -> TurnResult:
        """Ask the last text; those before it are the conversation so far, the customer's and ours by turns."""
        from graph.build import run_turn
        from graph.turn import Message, TurnRequest

        spoken = zip(reversed(texts), ("user", "assistant") * len(texts), strict=False)
        messages = [Message(role=role, content=text) for text, role in spoken]
        self.events = []
        return run_turn(
            self.services.graph,
            self.services.deps,
            TurnRequest(messages=tuple(reversed(messages)), **request),
            self.events.append,
            threading.Event(),
        )

    @property
    def authors(self) -> list[str]:
        """Who wrote the sentences of the last turn, in order."""
        return [event["author"] for event in self.events if event["kind"] == "sentence"]


MakeAssistant = Callable[..., Assistant]


@pytest.fixture(scope="session")
def _cairn(cairn_home: Path, embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    from app.wiring import open_store, wire
    from tests.fakes import ScriptedChatModel, served

    home = shutil.copytree(cairn_home, tmp_path_factory.mktemp("cairn") / "home")
    store = open_store(settings_in(Path(home)), embedder)
    services = wire(store, {"base": served(ScriptedChatModel(replies=repeat_facts))})
    yield services
    services.chat.close()
    store.database.dispose()


@pytest.fixture
def assistant(_cairn: Services, embedder: Embedder) -> Iterator[MakeAssistant]:
    """Make assistants: `assistant(reply)` on the session's home, which nobody changes, or `assistant(reply, home)`.

    `reply` is a chat model, or what a ScriptedChatModel is to say: by default what the facts say. `settings` and
    other options go to the home's settings and to `served`.
    """
    from app.chat import ChatService
    from app.checkpoints import open_checkpointer
    from app.wiring import Services, Store, accounts_of, open_store
    from graph.build import build_graph
    from shopbot.database import utc_now
    from shopbot.orders import Orders
    from shopbot.tickets import Tickets
    from tests.fakes import ScriptedChatModel, served

    made: list[Services] = []

    def own_store(home: Path, settings: dict[str, Any]) -> Store:
        return open_store(settings_in(home, **settings), embedder)

    def make(
        reply: Any = repeat_facts, home: Path | None = None, settings: dict[str, Any] | None = None, **options: Any
    ) -> Assistant:
        replies = [reply] if isinstance(reply, str) else reply
        model = ScriptedChatModel(replies=replies) if callable(replies) or isinstance(replies, list) else replies
        store = _cairn.store if home is None else own_store(home, settings or {})
        deps = replace(
            _cairn.deps,
            catalog=store.catalog,
            facts=store.facts,
            orders=Orders(store.database),
            tickets=Tickets(store.database, utc_now),
            models={"base": served(model, **options)},
            question_max_chars=store.settings.question_max_chars,
        )
        chat = ChatService(store.database, build_graph(open_checkpointer(store.settings)), deps)
        services = Services(store, deps, _cairn.graph, chat, accounts_of(store.settings, store.database))
        made.append(services)
        return Assistant(services, model)

    yield make
    for services in made:
        services.chat.close()
        if services.store is not _cairn.store:
            services.store.database.dispose()
