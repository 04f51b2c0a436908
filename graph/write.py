"""Writing the answer: the model drafts, every sentence is checked before it is shown, records fill what is missing."""

import time

from langgraph.runtime import Runtime

from graph.deps import Turn
from graph.drafts import draft_from_cards, draft_from_facts, draft_from_memory
from graph.pen import Pen
from graph.state import Account, Lead, Point, State
from graph.turn import Sentence, answer_text
from graph.verify import conveys
from shopbot.errors import ModelError
from shopbot.language import without_citations
from shopbot.references import field_name

# The model is asked again, once, for at most this many points that its first draft left out or got wrong.
REPAIR_POINTS = 2


def write(state: State, runtime: Runtime[Turn]) -> State:
    """Let the model draft the answer in the way that its prompt is laid out; show only what passes the check."""
    turn, account = runtime.context, state["account"]
    pen = Pen(account, runtime.stream_writer, as_list=state["as_list"])
    draft = {"facts": _draft_and_repair, "cards": draft_from_cards, "sections": draft_from_memory}
    points = state["points"]
    started = time.perf_counter()
    try:
        points = draft[turn.prompt(state["route"]).layout](state, turn, pen)
    except ModelError as error:
        account.reduced = str(error)
    account.stopped = turn.cancelled.is_set()
    account.generate_ms = (time.perf_counter() - started) * 1000
    return {"account": account, "points": points}


def _draft_and_repair(state: State, turn: Turn, pen: Pen) -> list[Point]:
    """Draft over single facts, and once more what the draft missed."""
    points, account = state["points"], state["account"]
    draft_from_facts(points, state, turn, pen)
    missing = _missing(points, account)
    if 0 < len(missing) < len(points):  # the same points again would get the same draft
        account.repaired = True
        draft_from_facts(missing[:REPAIR_POINTS], state, turn, pen)
    return points


def verify(state: State, runtime: Runtime[Turn]) -> State:
    """Say from the records what the model left out, so that the answer is complete whatever the model did."""
    turn, account = runtime.context, state["account"]
    pen = Pen(account, runtime.stream_writer, as_list=state["as_list"])
    if not account.stopped:
        for lead in _unsaid(state["lead"], account):
            pen.show(Sentence(text=lead.text, author="shop"))
        for point in _missing(state["points"], account):
            pen.show_statement(point)
        if table := state["table"]:
            pen.show_table(table)
        if account.reduced:
            pen.show(Sentence(text=turn.phrase("reduced_mode"), author="shop", block=True))
    return {"account": account}


def _unsaid(leads: list[Lead], account: Account) -> list[Lead]:
    """Leads that the model has neither said nor answered: no "nothing of a brim" after "brim: 7 cm"."""
    return [lead for lead in leads if lead not in account.leads_said and not _is_answered(lead, account)]


def _is_answered(lead: Lead, account: Account) -> bool:
    """Whether the model has told all that the lead calls unknown, of the same record."""
    return lead.record in account.told and set(lead.about) <= account.told[lead.record]


def _missing(points: list[Point], account: Account) -> list[Point]:
    shown = without_citations(answer_text([s for s in account.sentences if s.author != "shop"]))
    return [
        point
        for point in points
        if (point.source.id, field_name(point.statement.field)) not in account.referred
        and not conveys(point.statement, point.source.title, shown)
    ]
