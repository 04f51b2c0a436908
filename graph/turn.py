"""A turn from outside: what is asked, what comes back. These fields are stable; docs/interfaces.md describes them."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from shopbot.types import Frozen

Verdict = Literal["passed", "repaired", "fallback", "refused"]
Author = Literal["model", "record", "shop"]
CitationKind = Literal["product", "policy", "fact", "order", "promotion"]


class Message(Frozen):
    role: Literal["user", "assistant"]
    content: str


class TurnRequest(Frozen):
    """A conversation whose last message is the customer's; earlier ones give the context. No arm: the server's own."""

    messages: tuple[Message, ...] = Field(min_length=1)
    customer_id: str | None = None
    arm: str | None = None
    audience: str = "customer"

    @property
    def question(self) -> str:
        return self.messages[-1].content


class Citation(Frozen):
    """What `[n]` in the answer stands for: the n-th citation. `as_of` is the time of a live fact, else None."""

    id: str
    kind: CitationKind
    as_of: datetime | None = None


class Sentence(Frozen):
    """One shown sentence: who wrote it and, `block`, whether it starts on a line of its own."""

    text: str
    author: Author
    block: bool = False


class Timings(Frozen):
    """Milliseconds; `retrieve` includes embedding, `first_sentence` and `total` run from the start of the turn."""

    first_sentence: float
    total: float
    retrieve: float
    generate: float


class Tokens(Frozen):
    """Tokens of all generations of the turn; None where the model does not tell."""

    prompt: int | None = None
    answer: int | None = None


class TurnResult(Frozen):
    """The answer and its account. `model_share` is the share of shown sentences that the model wrote, 0..1."""

    answer: str
    citations: tuple[Citation, ...]
    product_ids: tuple[str, ...]
    role: str
    verdict: Verdict
    fallback: bool
    model_share: float
    handoff: bool
    arm: str
    catalog_version: str
    timings_ms: Timings
    tokens: Tokens
    reduced: str | None = None
    stopped: bool = False
    prompt_hash: str | None = None
    fingerprint: str | None = None
    findings: tuple[str, ...] = ()
    ticket: str | None = None


def answer_text(sentences: list[Sentence]) -> str:
    """Join shown sentences as they appear on the page: blocks on lines of their own."""
    text = ""
    for sentence in sentences:
        text += ("\n" if sentence.block else " ") * bool(text) + sentence.text
    return text
