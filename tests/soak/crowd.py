"""Fifty clients at once in one conversation, over two server processes on one home: one serial order."""

import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from shopbot.tables import runs
from tests.soak.homes import open_home, slow_model
from tests.soak.server import Server

PATIENCE_S = 600.0


@dataclass
class Crowd:
    """What came of the posts; `problems` has a line for everything that must not be."""

    posts: int
    at_once: Counter[int] = field(default_factory=Counter)
    answered: int = 0
    refusals: int = 0
    problems: list[str] = field(default_factory=list)


def press_in(home: Path, posts: int, seed: int) -> Crowd:
    """Post `posts` messages at the same moment to one conversation, then patiently until each is answered."""
    crowd = Crowd(posts)
    with slow_model(0.002) as model, Server(home, model.base_url) as one, Server(home, model.base_url) as two:
        urls = [server.url for server in (one, two)]
        first = _post(urls[0], "Hi", None, secrets.token_urlsafe(18))
        conversation_id = first.json()["conversation_id"]
        _wait(urls[0], first.json()["run_id"])
        at_once = together(posts, lambda n: _post(urls[n % 2], f"Hi, all at once {n}", conversation_id))
        crowd.at_once.update(reply.status_code for reply in at_once)
        _judge_refusals(at_once, crowd)
        for reply in at_once:
            if reply.status_code == 202:
                _wait(urls[0], reply.json()["run_id"])
        texts = [f"Hi, in turn {number}" for number in range(posts)]
        chance = [random.Random(seed + number) for number in range(posts)]
        refused = together(posts, lambda n: _ask_until_answered(urls[n % 2], texts[n], conversation_id, chance[n]))
        crowd.refusals = sum(refused)
        _judge_order(home, conversation_id, texts, urls, crowd)
        _judge_key(urls, posts, crowd)
    return crowd


def together(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Act so many times at the same moment, each in a thread of its own; what came of it, by number."""
    gate = threading.Barrier(count)

    def one(number: int) -> Any:
        gate.wait()
        return act(number)

    with ThreadPoolExecutor(count) as clients:
        return list(clients.map(one, range(count)))


def _post(url: str, text: str, conversation_id: str | None, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"text": text, "conversation_id": conversation_id}
    return httpx.post(f"{url}/api/turns", json=body, headers=headers, timeout=PATIENCE_S)


def _wait(url: str, run_id: str) -> str:
    """Read a run's events to the end."""
    return httpx.get(f"{url}/api/turns/{run_id}/events", timeout=PATIENCE_S).text


def _ask_until_answered(url: str, text: str, conversation_id: str, chance: random.Random) -> int:
    """Post until it is accepted, and read the answer; return how often it was refused before."""
    key, refusals, ends = secrets.token_urlsafe(18), 0, time.monotonic() + PATIENCE_S
    while (reply := _post(url, text, conversation_id, key)).status_code == 409 and time.monotonic() < ends:
        refusals += 1
        time.sleep(chance.uniform(0.05, 0.5))
    _wait(url, reply.json()["run_id"])
    return refusals


def _judge_refusals(replies: Sequence[httpx.Response], crowd: Crowd) -> None:
    for reply in replies:
        is_clear = reply.status_code == 202 or (
            reply.status_code == 409
            and reply.json()["error"]["type"] == "ConversationBusy"
            and int(reply.headers["retry-after"]) > 0
        )
        if not is_clear:
            crowd.problems.append(f"neither accepted nor refused: {reply.status_code} {reply.text}")
    if not any(reply.status_code == 202 for reply in replies):
        crowd.problems.append("of all at once none was accepted")


def _judge_order(home: Path, conversation_id: str, texts: Sequence[str], urls: Sequence[str], crowd: Crowd) -> None:
    """Each message once, each answered, each begun after the one before it had ended, and told alike by both."""
    database = open_home(home)
    with database.connect() as connection:
        query = select(runs).where(runs.c.conversation_id == conversation_id).order_by(runs.c.created_at)
        kept = connection.execute(query).all()
    database.dispose()
    asked = Counter(run.question for run in kept)
    crowd.answered = sum(asked[text] == 1 for text in texts)
    if crowd.answered != len(texts) or len(kept) != 1 + crowd.at_once[202] + len(texts):
        crowd.problems.append(f"{len(kept)} runs are kept, {crowd.answered} of {len(texts)} messages once")
    if unanswered := [run.question for run in kept if run.state != "done" or not run.result["answer"]]:
        crowd.problems.append(f"not answered: {unanswered}")
    for before, after in pairwise(kept):
        if before.finished_at is None or after.created_at < before.finished_at:
            crowd.problems.append(f"{after.question!r} began before the end of {before.question!r}")
    told = [httpx.get(f"{url}/api/conversations/{conversation_id}", timeout=PATIENCE_S).json() for url in urls]
    for story in told:
        if [exchange["run_id"] for exchange in story] != [run.id for run in kept]:
            crowd.problems.append("a server tells the conversation in another order")


def _judge_key(urls: Sequence[str], posts: int, crowd: Crowd) -> None:
    """The same message sent many times at once, to both servers, is one run."""
    key = secrets.token_urlsafe(18)
    replies = together(posts, lambda n: _post(urls[n % 2], "Hi, only once", None, key))
    if len({(reply.status_code, reply.text) for reply in replies}) != 1 or replies[0].status_code != 202:
        crowd.problems.append(f"one key, several replies: { {reply.text for reply in replies} }")
