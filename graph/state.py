"""The state of one turn as it passes through the graph."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

from langgraph.channels import UntrackedValue

from graph.asks import Utterance
from graph.routing import Route
from graph.turn import Citation, Sentence, TurnRequest, TurnResult
from graph.wishes import Wish
from shopbot.cards import Asked
from shopbot.statements import Source, Statement
from shopbot.types import Hit


@dataclass(frozen=True)
class Point:
    """A statement that the answer has to make, and the source it comes from."""

    source: Source
    statement: Statement


@dataclass(frozen=True)
class Lead:
    """Something to say in the shop's words before the records: that a thing is unknown, or which one is meant.

    `about` are the stems of what it is about, by which a sentence of the model is known to say the same; empty where
    only the shop says it. `record` is the id of the record that it speaks of, if it speaks of one.
    """

    text: str
    about: tuple[str, ...] = ()
    record: str | None = None


@dataclass(frozen=True)
class Table:
    """Records side by side: a column each, and rows of (label, a cell for each record)."""

    sources: tuple[Source, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass
class Account:
    """What has been shown and spent so far; nodes append to it."""

    started: float = field(default_factory=time.perf_counter)
    first_sentence_ms: float | None = None
    retrieve_ms: float = 0.0
    generate_ms: float = 0.0
    sentences: list[Sentence] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    leads_said: list[Lead] = field(default_factory=list)
    told: dict[str, set[str]] = field(default_factory=dict)  # stems of what the model told, by record
    referred: set[tuple[str, str]] = field(default_factory=set)  # (record, field) that the model told by a reference
    findings: list[str] = field(default_factory=list)
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    repaired: bool = False
    prompt_hash: str | None = None
    reduced: str | None = None
    stopped: bool = False

    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000

    def cite(self, citation: Citation) -> int:
        """Return the number that stands for this citation in the answer, from 1."""
        if citation not in self.citations:
            self.citations.append(citation)
        return self.citations.index(citation) + 1


class State(TypedDict, total=False):
    """`points` are what the answer must say, `lead` what is said before them in the shop's words.

    `errands` are those of the message that have not been seen to yet, `question` the one that is.
    `sources` are the records that the question is about, whole; the points may be of them or of others;
    `asked` is what is asked of each. `wish` is what the conversation asks of the catalog as a whole, `delivery` what
    is to say of the delivery of a basket. Only `change`, a
    proposal that waits for the customer's yes, outlives its turn and lies in the conversation's checkpoint; everything
    else is of one turn, and never written there.
    """

    change: dict[str, Any] | None
    errands: Annotated[list[str], UntrackedValue]
    request: Annotated[TurnRequest, UntrackedValue]
    account: Annotated[Account, UntrackedValue]
    question: Annotated[str, UntrackedValue]
    route: Annotated[Route, UntrackedValue]
    route_scores: Annotated[Mapping[Route, float], UntrackedValue]
    focus: Annotated[list[list[str]], UntrackedValue]
    utterance: Annotated[Utterance, UntrackedValue]
    sections: Annotated[list[Hit], UntrackedValue]
    delivery: Annotated[list[Point], UntrackedValue]
    refused: Annotated[bool, UntrackedValue]
    lead: Annotated[list[Lead], UntrackedValue]
    sources: Annotated[list[Source], UntrackedValue]
    asked: Annotated[dict[int, Asked], UntrackedValue]
    points: Annotated[list[Point], UntrackedValue]
    as_list: Annotated[bool, UntrackedValue]
    handed_over: Annotated[bool, UntrackedValue]
    ticket: Annotated[str | None, UntrackedValue]
    wish: Annotated[Wish | None, UntrackedValue]
    table: Annotated[Table | None, UntrackedValue]
    result: Annotated[TurnResult, UntrackedValue]


def start_state(request: TurnRequest) -> State:
    """The state that a turn begins with; of the one before, which may have died, nothing is left."""
    return {**nothing_found(), "change": None, "errands": [], "request": request, "account": Account()}


def nothing_found() -> State:
    """What every errand of a turn begins with."""
    return {"lead": [], "sources": [], "points": [], "as_list": False, "wish": None, "table": None}
