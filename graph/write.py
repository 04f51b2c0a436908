"""Writing the answer: the model drafts, every sentence is checked before it is shown, records fill what is missing."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from langchain_core.messages import BaseMessage
from langgraph.runtime import Runtime

from graph.deps import Turn
from graph.language import completed_sentences, split_sentences, without_citations, words
from graph.state import Account, Point, State
from graph.statements import LIVE_FIELDS, Source, Statement
from graph.turn import Author, Citation, Sentence, answer_text
from graph.verify import check, conveys
from shopbot.chat_format import to_messages
from shopbot.chat_models import Timings
from shopbot.errors import ModelError
from shopbot.prompts import RolePrompt

Emit = Callable[[dict[str, object]], None]

# The model is asked again, once, for at most this many points that its first draft left out or got wrong.
REPAIR_POINTS = 2


def write(state: State, runtime: Runtime[Turn]) -> State:
    """Let the model draft the answer, and once more what the draft missed; show only what passes the check."""
    turn, account, points = runtime.context, state["account"], state["points"]
    pen = Pen(account, runtime.stream_writer, as_list=state["as_list"])
    started = time.perf_counter()
    try:
        _draft(points, state, turn, pen)
        missing = _missing(points, account)
        if 0 < len(missing) < len(points):  # the same points again would get the same draft
            account.repaired = True
            _draft(missing[:REPAIR_POINTS], state, turn, pen)
    except ModelError as error:
        account.reduced = str(error)
    account.stopped = turn.cancelled.is_set()
    account.generate_ms = (time.perf_counter() - started) * 1000
    return {"account": account}


def verify(state: State, runtime: Runtime[Turn]) -> State:
    """Say from the records what the model left out, so that the answer is complete whatever the model did."""
    turn, account = runtime.context, state["account"]
    pen = Pen(account, runtime.stream_writer, as_list=state["as_list"])
    if not account.stopped:
        for point in _missing(state["points"], account):
            pen.show_statement(point)
        if account.reduced:
            pen.show(Sentence(text=turn.phrase("reduced_mode"), author="shop", block=True))
    return {"account": account}


class Pen:
    """Shows sentences: tells the listener, keeps the account, numbers the citations."""

    def __init__(self, account: Account, emit: Emit, *, as_list: bool = False) -> None:
        self._account = account
        self._emit = emit
        self._as_list = as_list

    def show(self, sentence: Sentence) -> None:
        if self._account.first_sentence_ms is None:
            self._account.first_sentence_ms = self._account.elapsed_ms()
        self._account.sentences.append(sentence)
        citations = [citation.model_dump(mode="json") for citation in self._account.citations]
        self._emit({"kind": "sentence", **sentence.model_dump(), "citations": citations})

    def show_statement(self, point: Point) -> None:
        self._cited(point.statement.text, point.source, (point.statement,), "record")

    def show_written(self, text: str, source: Source, statements: Sequence[Statement]) -> None:
        self._cited(as_the_shop_writes(text, source), source, statements, "model")

    def _cited(self, text: str, source: Source, statements: Sequence[Statement], author: Author) -> None:
        number = self._account.cite(citation_of(source, statements))
        lead = "- " if self._as_list else line_lead(source, statements)
        self.show(Sentence(text=lead + with_marker(text, number), author=author, block=bool(lead)))


def as_the_shop_writes(text: str, source: Source) -> str:
    """Give amounts the form that the record has: "$349" -> "$349.00"; the check has found them equal."""
    for statement in source.of("price"):
        for amount in re.findall(r"[$€£¥]\s?\d[\d.,]*\d", statement.text):
            bare = re.sub(r"[.,]00$", "", amount)
            text = re.sub(rf"{re.escape(bare)}(?![\d]|[.,]\d)", amount, text)
    return text


def citation_of(source: Source, statements: Iterable[Statement]) -> Citation:
    """A product's price and stock are live facts, cited with the older of their times; all else is the record."""
    live = {statement.field for statement in statements} & LIVE_FIELDS
    if source.facts is None or not live:
        return Citation(id=source.id, kind=source.kind)
    times = {"price": source.facts.price_as_of, "stock": source.facts.stock_as_of}
    return Citation(id=source.id, kind="fact", as_of=min(times[field] for field in live))


def line_lead(source: Source, statements: Sequence[Statement]) -> str:
    """What a statement's line begins with: the number of a step, the bullet of a table row, nothing in running text."""
    if len(statements) != 1 or statements[0].field not in ("step", "row"):
        return ""
    steps = source.of("step")
    return f"{steps.index(statements[0]) + 1}. " if statements[0] in steps else "- "


def with_marker(text: str, number: int) -> str:
    """Put the citation before the full stop: "It costs $5." -> "It costs $5 [1]."."""
    plain = text.rstrip()
    return f"{plain[:-1]} [{number}]{plain[-1]}" if plain.endswith((".", "!", "?")) else f"{plain} [{number}]."


def _missing(points: Sequence[Point], account: Account) -> list[Point]:
    shown = answer_text([s for s in account.sentences if s.author != "shop"])
    return [point for point in points if not conveys(point.statement, point.source.title, without_citations(shown))]


def _draft(points: Sequence[Point], state: State, turn: Turn, pen: Pen) -> None:
    """One generation over the points' statements; each sentence is held until it has passed."""
    sources = {point.source.number: point.source for point in points}
    account = state["account"]
    timings = Timings()
    prompt = turn.deps.prompts[state["route"]]
    pieces = turn.model.stream_text(
        _messages(prompt, points, state["question"], turn),
        decoding=prompt.decoding,
        cancelled=turn.cancelled,
        timings=timings,
        has_shown=lambda: any(sentence.author == "model" for sentence in account.sentences),
    )
    for sentence in _sentences(pieces):
        outcome = check(sentence, sources, turn.lexicon)
        if outcome.finding:
            account.findings.append(f"{outcome.finding.value}: {sentence}")
        elif outcome.source and not _already_said(sentence, account):
            pen.show_written(without_citations(sentence), outcome.source, outcome.statements)
    account.prompt_tokens = _add(account.prompt_tokens, timings.prompt_tokens)
    account.answer_tokens = _add(account.answer_tokens, timings.answer_tokens)


def _messages(prompt: RolePrompt, points: Sequence[Point], question: str, turn: Turn) -> list[BaseMessage]:
    facts = [(point.source.number, point.statement.text) for point in points]
    config = turn.deps.shop.config
    return to_messages(prompt, facts, question, assistant=config.assistant_name, shop=config.name)


def _sentences(pieces: Iterable[str]) -> Iterator[str]:
    """Yield sentences as soon as they are surely complete; the open rest at the end counts as one."""
    text = ""
    for piece in pieces:
        done, text = completed_sentences(text + piece)
        yield from done
    yield from split_sentences(text)


def _already_said(sentence: str, account: Account) -> bool:
    said = words(without_citations(sentence))
    return any(words(without_citations(shown.text)) == said for shown in account.sentences)


def _add(total: int | None, more: int | None) -> int | None:
    return total if more is None else (total or 0) + more
