"""A home with the sample shop for the harnesses, and what they look up in it behind the server's back."""

import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import bcrypt
from sqlalchemy import Engine, insert, select

from app.wiring import accounts_of, initialise, open_store
from shopbot.database import open_database, utc_now, writing
from shopbot.orders import Event, Order
from shopbot.tables import orders
from tests.conftest import nothing, settings_in
from tests.fakes import FakeOpenAIServer
from tests.fakes_data import HashEmbedder

BUYER, EMAIL, PASSWORD = "C-1003", "priya.raghunathan@example.org", "a long walk home"
NEWEST = "A-57089"


def make_home(home: Path) -> Path:
    """Publish the sample shop with hashed vectors, and make an account for one of its customers."""
    settings = settings_in(home)
    store = open_store(settings, HashEmbedder())
    initialise(store, nothing)
    kept, bcrypt.gensalt = bcrypt.gensalt, partial(bcrypt.gensalt, 4)  # what a hash costs is not the matter here
    accounts_of(settings, store.database).add(EMAIL, PASSWORD, "customer", "Priya", BUYER)
    bcrypt.gensalt = kept
    store.database.dispose()
    return home


def open_home(home: Path) -> Engine:
    return open_database(settings_in(home))


def place_order(database: Engine, number: int) -> str:
    """Put a new order of the buyer into the books, one minute old, so that it may still be cancelled."""
    order_id, now = f"A-{number:05d}", utc_now()
    placed = now - timedelta(minutes=1)
    with writing(database) as connection:
        model = Order.model_validate(connection.scalar(select(orders.c.payload).where(orders.c.id == NEWEST)))
        events = (Event(at=placed, status="placed", note="Order placed on the website"),)
        order = model.model_copy(
            update={"id": order_id, "placed_at": placed, "status": "placed", "events": events, "returned": None}
        )
        core = {"id": order_id, "customer_id": BUYER, "placed_at": placed, "status": "placed"}
        connection.execute(insert(orders).values(**core, payload=order.model_dump(mode="json", by_alias=True)))
    return order_id


def slow_model(token_delay_s: float) -> FakeOpenAIServer:
    """A model server that says every fact of its prompt, with its source, a word at a time."""
    server = FakeOpenAIServer(_repeat_facts)
    server.token_delay_s = token_delay_s
    return server


def _repeat_facts(messages: list[dict[str, Any]]) -> str:
    facts = re.findall(r"^\[(\d+)\] (.+?)\.?$", str(messages[-1]["content"]).partition("\nQuestion: ")[0], re.MULTILINE)
    return " ".join(f"{fact} [{number}]." for number, fact in facts)
