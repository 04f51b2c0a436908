"""Cases through the shipped graph, and the same model without what the graph adds.

Four ways an arm is asked: without retrieval and with it, each before the check and after it. "With retrieval" is the
graph as it is served; "before the check" is what its model wrote first in that very turn, references filled in. A fifth
way is for policies: over the text of the sections that retrieval found.
"""

import re
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any, cast
from zoneinfo import ZoneInfo

from evals.cases import Case
from evals.prompting import final_answer
from graph.asks import options_asked
from graph.deps import Deps, Turn
from graph.drafts import texts_of
from graph.routing import Route
from graph.state import State
from graph.turn import TurnRequest, TurnResult
from graph.verify import check
from shopbot.chat_format import as_cards, as_facts, as_sections, to_messages
from shopbot.chat_models import ServedModel, Timings
from shopbot.errors import ModelError
from shopbot.language import split_sentences
from shopbot.prompts import RolePrompt
from shopbot.references import REFERENCE, references, value_of
from shopbot.statements import Source, policy_source, product_source

Progress = Callable[[str, int, int], None]
_CITED_NUMBER = re.compile(r"\[(\d{1,2})\]")
_CITED_SECTION = re.compile(r"\[([a-z0-9-]+\.[a-z0-9-]+)\]")
UNKNOWN = "I don't know that one, and I won't guess."


@dataclass(frozen=True)
class Answer:
    """One answer: what it says, which records it cites, and what it took."""

    text: str
    cited: tuple[str, ...]
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    total_ms: float | None = None


@dataclass(frozen=True)
class Outcome:
    """One case by one arm: the draft and the shown answer.

    `material` is what is true of the case's records, `records` of those that the shown answer cites, by marker.

    Where the parts were measured, too: the same without retrieval, and the draft over the policies' text.
    """

    case: Case
    draft: Answer
    shown: Answer
    result: TurnResult
    was_asked: bool
    material: str
    records: dict[int, str]
    alone_draft: Answer | None = None
    alone_shown: Answer | None = None
    text_draft: Answer | None = None


class Recorder:
    """A served model that remembers what it wrote in each generation."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model
        self.replies: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def stream_text(self, *args: Any, **kwargs: Any) -> Generator[str]:
        self.replies.append("")
        for piece in self._model.stream_text(*args, **kwargs):
            self.replies[-1] += piece
            yield piece


def run_cases(
    graph: Any, deps: Deps, cases: Sequence[Case], arm: str, progress: Progress, *, with_parts: bool = False
) -> list[Outcome]:
    """Answer all cases with an arm, one after the other; `with_parts` also without retrieval and over texts."""
    recorder = Recorder(deps.models[arm])
    recorded = replace(deps, models={**deps.models, arm: cast(ServedModel, recorder)})
    outcomes = []
    for number, case in enumerate(cases, start=1):
        outcomes.append(_outcome(graph, recorded, case, arm, recorder, with_parts))
        progress(f"cases, {arm}", number, len(cases))
    return outcomes


def _outcome(graph: Any, deps: Deps, case: Case, arm: str, recorder: Recorder, with_parts: bool) -> Outcome:
    recorder.replies.clear()
    deps = replace(deps, clock=_noon(case.today, deps)) if case.today else deps
    request = TurnRequest(messages=case.messages, arm=arm)
    turn = Turn(deps, deps.catalog.active(), arm, threading.Event(), request=request)
    state = cast(State, graph.invoke({"change": None}, context=turn))
    result = state["result"]
    shown = Answer(
        result.answer, tuple(citation.id for citation in result.citations),
        result.tokens.prompt, result.tokens.answer, result.timings_ms.total,
    )  # fmt: skip
    reply = recorder.replies[0] if recorder.replies else None
    draft = _draft(reply, case, state, turn) if reply is not None else shown
    outcome = Outcome(case, draft, shown, result, reply is not None, _material(case, turn), _cited(result, case, turn))
    if not with_parts:
        return outcome
    alone = _alone(case, turn, recorder)
    text = _over_text(case, state, turn, recorder) if case.section else None
    return replace(outcome, alone_draft=alone, alone_shown=_checked_alone(alone, case, turn), text_draft=text)


def _noon(day: date, deps: Deps) -> Callable[[], datetime]:
    """A clock that stands at noon of a day in the shop."""
    moment = datetime.combine(day, time(12), ZoneInfo(deps.shop.config.timezone))
    return lambda: moment


def _draft(reply: str, case: Case, state: State, turn: Turn) -> Answer:
    """What the model wrote, references filled in and citations resolved, nothing checked."""
    sources = {source.number: source for source in state.get("sources", [])}
    reply = final_answer(reply)
    sources |= {point.source.number: point.source for point in state["points"] if point.source.number not in sources}
    cited = [sources[int(n)].id for n in _CITED_NUMBER.findall(reply) if int(n) in sources]
    cited += [sources[r.number].id for r in references(reply) if r.number in sources]
    cited += _CITED_SECTION.findall(reply)
    return Answer(_filled_in(reply, sources, case, turn), tuple(dict.fromkeys(cited)))


def _filled_in(reply: str, sources: dict[int, Source], case: Case, turn: Turn) -> str:
    found = iter(references(reply))

    def value(match: re.Match[str]) -> str:
        reference = next(found)
        source = sources.get(reference.number)
        if source is None:
            return match[0]
        if reference.field in ("stock", "price"):
            reference = replace(reference, options=options_asked(case.question, source))
        return value_of(reference, source, turn.deps.shop.config.locale) or match[0]

    return REFERENCE.sub(value, reply)


def _alone(case: Case, turn: Turn, recorder: Recorder) -> Answer:
    """The model without records: the question alone, in the layout of its prompt."""
    prompt = turn.prompt(Route.POLICY if case.section else Route.PRODUCT)
    empty = {"facts": as_facts([]), "cards": as_cards([]), "sections": as_sections(())}[prompt.layout]
    answer = _generated(prompt, empty, case, turn, recorder)
    return replace(answer, cited=tuple(_CITED_SECTION.findall(answer.text)))


def _over_text(case: Case, state: State, turn: Turn, recorder: Recorder) -> Answer | None:
    """A policy over the texts of the sections that may be meant, as a model is asked whose memory failed."""
    sources = texts_of(state.get("sections", []), turn)
    if not sources:
        return None
    is_tuned = "policy_text" in turn.deps.prompts[turn.arm]
    facts = [(source.number, statement.text) for source in sources for statement in source.statements]
    context = as_cards(sources) if is_tuned else as_facts(facts)
    answer = _generated(turn.prompt("policy_text" if is_tuned else "policy"), context, case, turn, recorder)
    known = {source.number: source.id for source in sources}
    cited = [known[int(number)] for number in _CITED_NUMBER.findall(answer.text) if int(number) in known]
    return replace(answer, cited=tuple(dict.fromkeys(cited)))


def _generated(prompt: RolePrompt, context: str, case: Case, turn: Turn, recorder: Recorder) -> Answer:
    config = turn.deps.shop.config
    messages = to_messages(prompt, context, case.question, assistant=config.assistant_name, shop=config.name)
    timings = Timings()
    pieces = recorder.stream_text(messages, decoding=prompt.decoding, cancelled=threading.Event(), timings=timings)
    with suppress(ModelError):  # an untuned model without records may lose itself; what it wrote counts
        deque(pieces, maxlen=0)
    return Answer(recorder.replies[-1], (), timings.prompt_tokens, timings.answer_tokens, timings.total_ms)


def _checked_alone(draft: Answer, case: Case, turn: Turn) -> Answer:
    """Of an answer without records, the sentences that the check finds true of the record that it speaks of."""
    sources = dict(enumerate(_sources_spoken_of(draft, case, turn), start=1))
    kept, cited = [], []
    for sentence in split_sentences(_CITED_SECTION.sub("", draft.text)):
        outcome = check(_CITED_NUMBER.sub("", sentence), sources, turn.lexicon) if sources else None
        if outcome and outcome.passed and outcome.source:
            kept.append(sentence)
            cited.append(outcome.source.id)
    return Answer(" ".join(kept) or UNKNOWN, tuple(dict.fromkeys(cited)))


def _sources_spoken_of(draft: Answer, case: Case, turn: Turn) -> Iterator[Source]:
    policies = turn.version.policies
    for number, section in enumerate((key for key in draft.cited if key in policies), start=1):
        yield policy_source(number, policies[section])
    if not draft.cited and (named := sorted(turn.lexicon.named(case.question))):
        yield _product(named[0], turn)


def _product(product_id: str, turn: Turn) -> Source:
    facts = turn.deps.facts.read([product_id])
    return product_source(1, turn.version.products[product_id], facts.get(product_id), turn.deps.shop.config.locale)


def _cited(result: TurnResult, case: Case, turn: Turn) -> dict[int, str]:
    """The whole text of the records that an answer cites, live facts included, and what the customer said: "for $9.00"
    repeats the customer's own figure."""
    said = [message.content for message in case.messages if message.role == "user"]
    cited = enumerate(result.citations, start=1)
    return {number: "\n".join([*said, _text_of(citation.id, turn)]) for number, citation in cited}


def _text_of(record: str, turn: Turn) -> str:
    if record in turn.version.products:
        return "\n".join([record, *(statement.text for statement in _product(record, turn).statements)])
    if record in turn.version.policies:
        return turn.version.policies[record].text
    promotion = next((item for item in turn.deps.shop.promotions if item.id == record), None)
    return f"{promotion.text}\n{promotion.conditions}" if promotion else ""


def _material(case: Case, turn: Turn) -> str:
    """Everything that is true of the case's records, and what the customer said."""
    return "\n".join([*(message.content for message in case.messages), *(_text_of(key, turn) for key in case.records)])
