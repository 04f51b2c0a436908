"""What is shown: sentences on their way to the listener, with their citations."""

import re
from collections.abc import Callable, Iterable, Sequence

from graph.state import Account, Point, Table
from graph.turn import Author, Citation, Sentence
from shopbot.language import content_stems
from shopbot.statements import LIVE_FIELDS, Source, Statement

Emit = Callable[[dict[str, object]], None]


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
        by_prompt = self._account.prompt_hash if sentence.author == "model" else None
        self._emit({"kind": "sentence", **sentence.model_dump(), "citations": citations, "prompt_hash": by_prompt})

    def show_statement(self, point: Point) -> None:
        self._cited(point.statement.text, point.source, (point.statement,), "record")

    def show_table(self, table: Table) -> None:
        """Records side by side, a line each row, as Markdown; each is cited in the head of its column."""
        heads = []
        for source in table.sources:
            live = [statement for statement in source.statements if statement.field in LIVE_FIELDS]
            heads.append(f"{_cell(source.title)} [{self._account.cite(citation_of(source, live))}]")
        lines = [
            ["", *heads],
            ["---"] * (len(heads) + 1),
            *([label.capitalize(), *cells] for label, cells in table.rows),
        ]
        for line in lines:
            text = f"| {' | '.join(map(_cell, line))} |"
            self.show(Sentence(text=text, author="record", block=True))

    def show_written(self, text: str, source: Source, statements: Sequence[Statement]) -> None:
        self._account.told.setdefault(source.id, set()).update(content_stems(text))
        self._cited(as_the_shop_writes(text, source), source, statements, "model")

    def _cited(self, text: str, source: Source, statements: Sequence[Statement], author: Author) -> None:
        number = self._account.cite(citation_of(source, statements))
        lead = "- " if self._as_list else line_lead(source, statements)
        self.show(Sentence(text=lead + with_marker(text, number), author=author, block=bool(lead)))


def _cell(text: str) -> str:
    """A cell's text; a bar in it would begin another cell."""
    return " ".join(text.replace("|", "/").split())


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
