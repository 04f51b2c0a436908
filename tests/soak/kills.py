"""kill -9 during turns: what was acknowledged completes or is marked interrupted, once; nothing is lost or doubled.

Every life of the server ends at a random moment (seeded) after a chosen kind of moment: while a message is on its way,
right after its acknowledgement, while sentences arrive, while a confirmed change of an order is being made. The next
life is held against what the clients saw: acknowledged means that they were told a run id.
"""

import json
import random
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx
from sqlalchemy import Engine, func, select

from app.checkpoints import open_checkpointer
from app.signin import COOKIE
from shopbot.orders import Order
from shopbot.tables import order_changes, orders, run_events, runs
from tests.conftest import settings_in
from tests.soak.homes import EMAIL, PASSWORD, open_home, place_order, slow_model
from tests.soak.server import Server

Moment = Literal["on its way", "acknowledged", "streaming", "changing an order", "over"]
AIMS: tuple[Moment, ...] = ("on its way", "acknowledged", "streaming", "changing an order")
AFTER_S = {"on its way": 0.02, "acknowledged": 0.03, "streaming": 0.4, "changing an order": 0.08}
"""A life ends at a random moment up to so long after the moment that it aims at."""
QUESTIONS = (
    "What are the price and the weight of the Everest Down Jacket?",
    "How much is the Everest Down Jacket and what does it weigh?",
)
CANCEL, YES, NO = "please cancel my order {order}", "yes please", "no, leave it"
SETTLED_S = 30.0
TOKEN_DELAY_S = 0.02


@dataclass
class Post:
    """One message as its client knows it: `run_id` is the acknowledgement, `seen` the numbers of its events."""

    text: str
    conversation_id: str | None
    key: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    run_id: str | None = None
    seen: list[int] = field(default_factory=list)
    is_over: bool = False

    @property
    def moment(self) -> Moment:
        """Where its client was when the server died."""
        if self.is_over:
            return "over"
        if self.run_id is None:
            return "on its way"
        return "streaming" if self.seen else "acknowledged"


@dataclass
class Outcome:
    """Counts over all lives; `problems` has a line for everything that must not be."""

    kills: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    resent: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    unsure: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """Talks until the server is gone: questions for ever, or an order's cancellation and its yes."""

    def __init__(self, url: str, cookie: str, posts: Sequence[Post], reached: "Signals") -> None:
        super().__init__(daemon=True)
        self._url = url
        self._cookie = cookie
        self.posts = list(posts)
        self._reached = reached

    def run(self) -> None:
        conversation_id = None
        with _browser(self._url, self._cookie) as http:
            for post in self.posts:
                post.conversation_id = conversation_id
                try:
                    conversation_id = send(http, post, self._reached)
                    follow(http, post, self._reached)
                except (httpx.TransportError, json.JSONDecodeError):  # the server is dead
                    return


class Signals:
    """Wakes the one that is to kill at the first moment of the kind it aims at."""

    def __init__(self, aim: Moment) -> None:
        self._aim = aim
        self.reached = threading.Event()

    def tell(self, moment: Moment, text: str) -> None:
        is_change = self._aim == "changing an order" and text == YES and moment == "on its way"
        if is_change or moment == self._aim:
            self.reached.set()


def send(http: httpx.Client, post: Post, reached: Signals) -> str:
    body = {"text": post.text, "conversation_id": post.conversation_id}
    reached.tell("on its way", post.text)
    reply = http.post("/turns", json=body, headers={"Idempotency-Key": post.key})
    assert reply.status_code == 202, reply.text
    started = reply.json()
    post.run_id = started["run_id"]
    post.conversation_id = started["conversation_id"]
    reached.tell("acknowledged", post.text)
    return str(started["conversation_id"])


def follow(http: httpx.Client, post: Post, reached: Signals) -> None:
    with http.stream("GET", f"/turns/{post.run_id}/events") as reply:
        for line in reply.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                post.seen.append(int(value))
                reached.tell("streaming", post.text)
            if name == "event" and value in ("done", "error"):
                post.is_over = True


def kill_often(home: Path, kills: int, seed: int) -> Outcome:
    """Kill a server on `home` so many times, in the middle of turns; return what was found after each."""
    outcome, chance = Outcome(), random.Random(seed)
    database = open_home(home)
    everything: list[Post] = []
    with slow_model(TOKEN_DELAY_S) as model:
        server = Server(home, model.base_url).start()
        cookie = sign_in(server.url)
        for number in range(kills):
            aim = AIMS[number % len(AIMS)]
            posts = live_and_die(server, cookie, place_order(database, 90_000 + number), aim, chance)
            outcome.kills += 1
            outcome.moments.update(_named(post) for post in posts if post.moment != "over")
            server.start()
            resend(server.url, cookie, posts, outcome)
            posts += think_again(server.url, cookie, posts, database, outcome)
            everything += posts
            judge(database, posts, outcome)
        server.kill()
    judge_books(database, home, everything, outcome)
    database.dispose()
    return outcome


def sign_in(url: str) -> str:
    reply = httpx.post(f"{url}/signin", data={"email": EMAIL, "password": PASSWORD}, timeout=60)
    return reply.cookies[COOKIE]


def live_and_die(server: Server, cookie: str, order_id: str, aim: Moment, chance: random.Random) -> list[Post]:
    """Let three clients talk and kill the server; return what they had sent by then."""
    reached = Signals(aim)
    asking = [[Post(chance.choice(QUESTIONS), None) for _ in range(30)] for _ in range(2)]
    changing = [Post(CANCEL.format(order=order_id), None), Post(YES, None)]
    # Who aims at a change must not find the server busy with questions for long.
    talks = [changing] if aim == "changing an order" else [*asking, changing]
    clients = [Client(server.url, cookie, posts, reached) for posts in talks]
    for client in clients:
        client.start()
    assert reached.reached.wait(60), f"no client was ever {aim}:\n{server.log}"
    time.sleep(chance.uniform(0, AFTER_S[aim]))
    server.kill()
    for client in clients:
        client.join()
    return [post for client in clients for post in client.posts if post.conversation_id or post is client.posts[0]]


def _named(post: Post) -> str:
    return f"{post.moment}{' (a yes to a change)' if post.text == YES else ''}"


def resend(url: str, cookie: str, posts: Sequence[Post], outcome: Outcome) -> None:
    """Do what a client does that got no answer: send the same message with the same key."""
    with _browser(url, cookie) as http:
        for post in posts:
            if post.run_id is None:
                outcome.resent += 1
                _ask(http, post)


def think_again(url: str, cookie: str, posts: Sequence[Post], database: Engine, outcome: Outcome) -> list[Post]:
    """Who saw no end of a confirmed change says no, or yes once more, by turns; return these new messages.

    A no must leave the order as the dead server had left it.
    """
    made = []
    with _browser(url, cookie) as http:
        for post in posts:
            if post.text == YES and not post.is_over:
                before = _changes(database)
                made.append(again := Post((NO, YES)[sum(outcome.unsure.values()) % 2], post.conversation_id))
                _ask(http, again)
                outcome.unsure[again.text] += 1
                if again.text == NO and _changes(database) != before:
                    outcome.problems.append(f"a change was made after {NO!r}")
    return made


def _browser(url: str, cookie: str) -> httpx.Client:
    return httpx.Client(base_url=f"{url}/api", cookies={COOKIE: cookie}, timeout=60)


def _changes(database: Engine) -> int:
    with database.connect() as connection:
        return connection.scalar(select(func.count()).select_from(order_changes)) or 0


def _ask(http: httpx.Client, post: Post) -> None:
    send(http, post, Signals("over"))
    follow(http, post, Signals("over"))


def judge(database: Engine, posts: Sequence[Post], outcome: Outcome) -> None:
    """Hold the database against what the clients of a life saw, once everything has settled."""
    deadline = time.monotonic() + SETTLED_S
    while time.monotonic() < deadline and _count(database, runs.c.state == "running"):
        time.sleep(0.05)
    for post in posts:
        problem = problem_of(database, post, outcome)
        if problem:
            outcome.problems.append(f"{post.text!r}, {post.moment}: {problem}")


def problem_of(database: Engine, post: Post, outcome: Outcome) -> str | None:
    with database.connect() as connection:
        found = connection.execute(select(runs).where(runs.c.idempotency_key == post.key)).all()
        if [row.id for row in found] != [post.run_id]:
            return f"it has {len(found)} runs, the acknowledged one is {post.run_id}"
        (run,) = found
        kept = select(run_events.c.seq, run_events.c.kind).where(run_events.c.run_id == run.id)
        events = connection.execute(kept.order_by(run_events.c.seq)).all()
    outcome.states[run.state] += 1
    numbers = [event.seq for event in events]
    ends = [event.kind for event in events if event.kind in ("done", "error")]
    expected_ends = {"done": ["done"], "interrupted": []}.get(run.state)
    if ends != expected_ends:
        return f"it is {run.state} and its ends are {ends}"
    if numbers != list(range(1, len(numbers) + 1)):
        return f"its events have the numbers {numbers}"
    if not set(post.seen) <= set(numbers) or (post.is_over and run.state != "done"):
        return f"its client saw {post.seen}, kept are {numbers}, and it is {run.state}"
    return None if (run.result is None) == (run.state == "interrupted") else f"it is {run.state}, result {run.result}"


def judge_books(database: Engine, home: Path, posts: Sequence[Post], outcome: Outcome) -> None:
    """No run that nobody sent; every order changed at most once and as its audit says; all files sound."""
    if (kept := _count(database, runs.c.idempotency_key.is_not(None))) != len(posts):
        outcome.problems.append(f"{len(posts)} messages were sent, {kept} runs are kept")
    with database.connect() as connection:
        payloads = connection.scalars(select(orders.c.payload).where(orders.c.id.like("A-90%")))
        made = [Order.model_validate(payload) for payload in payloads]
        audit = Counter(connection.scalars(select(order_changes.c.order_id)))
    for order in made:
        times = sum(event.status == "cancelled" for event in order.events)
        outcome.changes["cancelled" if times else "as it was"] += 1
        if times > 1 or times != audit[order.id] or (order.status == "cancelled") != bool(times):
            outcome.problems.append(f"{order.id} is {order.status}, {times} times cancelled, {audit[order.id]} entries")
    for path in (home / "shopbot.sqlite3", home / "checkpoints.sqlite3"):
        with sqlite3.connect(path) as connection:
            if (said := connection.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
                outcome.problems.append(f"{path.name}: {said}")
        connection.close()
    saver = open_checkpointer(settings_in(home))
    list(saver.list(None))
    saver.conn.close()  # type: ignore[attr-defined]


def _count(database: Engine, condition: object) -> int:
    with database.connect() as connection:
        return connection.scalar(select(func.count()).select_from(runs).where(condition)) or 0  # type: ignore[arg-type]
