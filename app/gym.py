"""Stages for the gym: the real workflow, wired as a server wires it, on a database of its own for each scenario."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine

from app.wiring import Progress, Services, Store, adapter_of, ingest_feed, open_services, open_store, wire
from evals.gym.records import Records
from evals.gym.sampling import SampledModel, Sampling
from evals.gym.scenarios import Scenario
from evals.gym.trial import Exchange
from graph.lexicon import Lexicon
from graph.turn import TurnResult
from shopbot.accounts import Session
from shopbot.chat_models import ServedModel
from shopbot.database import open_database
from shopbot.facts import Facts, parse_facts
from shopbot.intents import Intents
from shopbot.prompts import Values
from shopbot.settings import Settings

FEED_AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
"""Before every scenario: what comes in during one is always newer than the feed."""
_DATABASE = "shopbot.sqlite3"


def own_settings(settings: Settings, home: Path) -> Settings:
    """The settings on a home of the gym's: no server that others use, nobody but the scenarios' customers."""
    return settings.model_copy(update={"home": home, "database_url": None, "chroma_url": None, "demo": False})


class Clock:
    """A clock that stands still until time is made to pass."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def pass_time(self, time: timedelta) -> None:
        self._now += time


@dataclass
class PreparedShop:
    """A shop with its catalog ingested and its sample orders, from which every scenario gets a copy.

    The catalog's index is shared: a published version is never written to. `models` are by arm.
    """

    store: Store
    models: Mapping[str, ServedModel]
    values: Values = "referred"
    readers: dict[str, tuple[Lexicon, Intents]] = field(default_factory=dict)

    @classmethod
    def in_home(cls, settings: Settings, progress: Progress) -> "PreparedShop":
        """Bring the shop's own catalog and orders into the settings' home, and load the models."""
        store = open_store(settings)
        ingest_feed(store, None, progress, FEED_AS_OF)
        services = open_services(settings, progress, store)
        adapter = adapter_of(store)
        store.database.dispose()  # everything is in the file that is copied
        return cls(store, services.deps.models, adapter.values if adapter else "referred")

    @contextmanager
    def open(self, scenario: Scenario, arm: str, sampling: Sampling | None) -> Iterator["ShopStage"]:
        """A fresh copy of the shop, at the scenario's hour, with its customer signed in."""
        with tempfile.TemporaryDirectory() as folder:
            home, clock = Path(folder), Clock(scenario.clock)
            shutil.copyfile(self.store.settings.home / _DATABASE, home / _DATABASE)
            settings = self.store.settings.model_copy(update={"home": home})
            database = open_database(settings)
            store = replace(self.store, settings=settings, database=database, facts=Facts(database, clock))
            services = wire(store, self._models(sampling), self.values)
            services.deps.clock, services.deps.readers = clock, self.readers
            try:
                yield ShopStage(services, database, clock, arm, self._session(scenario.customer))
            finally:
                services.chat.close()
                database.dispose()

    def _models(self, sampling: Sampling | None) -> dict[str, ServedModel]:
        if sampling is None:
            return dict(self.models)
        return {arm: cast(ServedModel, SampledModel(model, sampling)) for arm, model in self.models.items()}

    def _session(self, customer: str | None) -> Session | None:
        if customer is None:
            return None
        who = Records(self.store.shop).customers[customer]
        return Session(account_id=customer, name=who["name"], email=who["email"], role="customer", customer_id=customer)


@dataclass
class ShopStage:
    """One conversation with a shop of its own."""

    services: Services
    database: Engine
    clock: Clock
    arm: str
    session: Session | None
    conversation_id: str | None = None

    def say(self, text: str) -> Exchange:
        """Send a message as the page does: a run of the chat service, followed to its end.

        Typing takes a second: of two messages of the same moment nobody could say which was first.
        """
        self.clock.pass_time(timedelta(seconds=1))
        chat = self.services.chat
        run_id, self.conversation_id = chat.start(text, self.conversation_id, self.arm, self.session)
        events = [event for _, event in chat.events(run_id)]
        sentences = tuple((event["text"], event["author"]) for event in events if event["kind"] == "sentence")
        if events[-1]["kind"] == "error":
            return Exchange(said=text, sentences=sentences, error=f"{events[-1]['type']}: {events[-1]['message']}")
        if events[-1]["kind"] == "with_agent":  # a person has taken over; the assistant is silent
            return Exchange(said=text, role="with_agent")
        result = TurnResult.model_validate(events[-1]["result"])
        return Exchange(
            said=text, answer=result.answer, sentences=sentences, cited=tuple(c.id for c in result.citations),
            role=result.role, verdict=result.verdict, findings=result.findings,
            asked_model=result.timings_ms.generate > 0, total_ms=result.timings_ms.total,
        )  # fmt: skip

    def pass_time(self, time: timedelta) -> None:
        self.clock.pass_time(time)

    def bring_in(self, facts: Sequence[Mapping[str, Any]]) -> None:
        """Apply lines of a facts file, as `shopbot facts set` does. Raises FeedError for a line that is none."""
        live = self.services.store.facts
        lines = [json.dumps(line) for line in facts]
        live.apply(parse_facts(lines, "scenario", live.known()), "gym")
