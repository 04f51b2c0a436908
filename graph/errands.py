"""Several errands in one message: "when does A-68379 arrive, and what does the down jacket weigh?".

Each goes through the workflow by itself, and one answer is made of all. A message is only taken apart where two parts
are certainly for different desks: a story is one errand, however many sentences it has.
"""

import re
from collections.abc import Sequence
from itertools import groupby

from langgraph.runtime import Runtime

from graph.asks import clauses_of, says_nothing
from graph.deps import Turn
from graph.desk import names_order
from graph.follow_ups import outright
from graph.persons import wants_person
from graph.routing import Route, asks_for_a_field, route_scores
from graph.state import State, nothing_found
from shopbot.intents import FIELD
from shopbot.language import words

MOST_ERRANDS = 3
MOST_CLAUSES = 8
# A clause is for the policies beyond doubt from this score on, and this far ahead of every other desk; it is about a
# field of a product that it names from this score on. Set by hand: of the development cases, which are one errand each,
# none is taken apart.
SURE, AHEAD, SURE_FIELD = 0.5, 0.3, 0.4
_ASKS = re.compile(
    r"^(?:and |also |plus |then |oh |ok |so |please )*(?:what|when|where|which|who|why|how|is|are|do|does|did|can|could"
    r"|will|would|may|any|got)\b",
    re.IGNORECASE,
)


def plan(state: State, runtime: Runtime[Turn]) -> State:
    """Correct misspelt words, take the message apart, and begin with its first errand."""
    turn = runtime.context
    errands = errands_in(turn.lexicon.spelt(state["question"]), turn)
    return {"question": errands[0], "errands": errands[1:]}


def next_errand(state: State, runtime: Runtime[Turn]) -> State:
    """Go on with the next errand; of the one before only what has been shown is left."""
    return {**nothing_found(), "question": state["errands"][0], "errands": state["errands"][1:]}


def has_errands(state: State) -> bool:
    return bool(state["errands"])


def errands_in(question: str, turn: Turn) -> list[str]:
    """The errands of a message in the order in which they are seen to, its own orders last: a proposal ends a turn."""
    clauses = clauses_of(question)
    if not 2 <= len(clauses) <= MOST_CLAUSES or wants_person(question):
        return [question]
    if not (names_order(question) or outright(question, turn)):
        return [question]
    found = [
        (desk, ". ".join(clause for _, clause in group))
        for desk, group in groupby(zip(_desks(clauses, turn), clauses, strict=True), key=lambda pair: pair[0])
    ]
    if not 2 <= len(found) <= MOST_ERRANDS or len({desk for desk, _ in found}) < len(found):
        return [question]  # one desk, or back and forth between two: that is a story
    return [text for _, text in sorted(found, key=lambda pair: pair[0] == Route.ORDER)]


def _desks(clauses: Sequence[str], turn: Turn) -> list[Route]:
    """Which desk each clause is for; one that does not say goes with the clause before it, or else with the next."""
    sure = [_sure_desk(clause, turn) for clause in clauses]
    desks: list[Route] = []
    last = next((desk for desk in sure if desk), Route.OTHER)
    for desk in sure:
        last = desk or last
        desks.append(last)
    return desks


def _sure_desk(clause: str, turn: Turn) -> Route | None:
    if names_order(clause):
        return Route.ORDER
    if not _ASKS.match(clause) and len(words(clause)) > 1:
        return None
    utterance = turn.read(clause)
    meant = utterance.meant
    if outright(clause, turn):
        asks = asks_for_a_field(meant) and meant.best_of(FIELD) >= SURE_FIELD
        return Route.PRODUCT if asks or says_nothing(utterance.text) else None
    scores = route_scores(clause, meant, names_product=False)
    ahead = scores.scores[Route.POLICY] - max(score for route, score in scores.scores.items() if route != Route.POLICY)
    return Route.POLICY if scores.scores[Route.POLICY] >= SURE and ahead >= AHEAD else None
