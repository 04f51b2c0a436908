"""What a product description is made of: the sentences of a record that a brief asks for, in its tone and length."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from shopbot.statements import Source, Statement
from shopbot.types import Frozen

Tone = Literal["warm", "plain", "technical"]
TONES: tuple[Tone, ...] = ("warm", "plain", "technical")
SHORTEST, USUAL, LONGEST = 15, 60, 150
# Fields that a plain description tells beside its opening, in this order.
_PLAIN = ("best for", "season", "weight", "materials", "care", "warranty")
# Not told of a product in general: they change, or are somebody's opinion.
_LEFT_OUT = frozenset({"price", "stock", "sizes", "colors", "rating", "review count", "category"})
_WORDS_WANTED = re.compile(r"\b(\d{1,4})[\s-]*words?\b", re.IGNORECASE)
_ASKS_TO_WRITE = re.compile(
    r"\b(?:write|draft|compose|describe|rewrite|word)\b|\b(?:description|blurb|teaser|copy|product text)\b",
    re.IGNORECASE,
)
_TONE_WORDS: dict[Tone, re.Pattern[str]] = {
    "technical": re.compile(r"\b(?:technical|factual|specs?|data ?sheet|nerdy|exact)\b", re.IGNORECASE),
    "plain": re.compile(r"\b(?:plain|sober|neutral|matter.of.fact|simple)\b", re.IGNORECASE),
    "warm": re.compile(r"\b(?:warm|friendly|inviting|emotional|lively|playful)\b", re.IGNORECASE),
}
_LENGTH_WORDS = (
    (re.compile(r"\b(?:short|brief|teaser|one[ -]liner|tiny)\b", re.IGNORECASE), 25),
    (re.compile(r"\b(?:long|detailed|full|in depth)\b", re.IGNORECASE), 110),
)


class Brief(Frozen):
    """What a merchandiser wants written: `words` is how long, 15 to 150."""

    tone: Tone = "warm"
    words: int = USUAL

    def instruction(self, title: str) -> str:
        """The question that a model is asked, in training and serving."""
        return f"Describe the {title}. Tone: {self.tone}. Length: {self.words} words."


def asks_to_write(text: str) -> bool:
    """Whether a message asks for a text about a product, not for a fact."""
    return _ASKS_TO_WRITE.search(text) is not None


def brief_of(text: str) -> Brief:
    """Read tone and length from a message; a length outside 15 to 150 words becomes the nearest within."""
    tone = next((tone for tone, said in _TONE_WORDS.items() if said.search(text)), Brief().tone)
    found = _WORDS_WANTED.search(text)
    if found:
        return Brief(tone=tone, words=min(LONGEST, max(SHORTEST, int(found[1]))))
    wanted = next((count for said, count in _LENGTH_WORDS if said.search(text)), USUAL)
    return Brief(tone=tone, words=wanted)


def material_of(source: Source) -> list[Statement]:
    """Everything lasting that a record says: its own prose, then its attributes."""
    told = [statement for statement in source.statements if statement.field not in _LEFT_OUT]
    return sorted(told, key=lambda statement: statement.field != "description")


def described(source: Source, brief: Brief) -> list[Statement]:
    """The sentences of a description, best first, until its length is reached; at least one.

    warm: the record's own prose, then what the product is for; plain: one sentence of prose and the everyday facts;
    technical: the attributes as the record lists them, no prose.
    """
    prose, facts = source.of("description"), [s for s in material_of(source) if s.field != "description"]
    uses = _in_order(source, ("best for", "season"))
    chosen = {
        "warm": [*prose, *uses],
        "plain": [*prose[:1], *_in_order(source, _PLAIN)],
        "technical": [*(s for s in facts if s not in uses), *uses],
    }[brief.tone]
    return _cut(chosen or material_of(source), brief.words)


def _in_order(source: Source, fields: Iterable[str]) -> list[Statement]:
    return [statement for field in fields for statement in source.of(field)]


def _cut(statements: Sequence[Statement], words: int) -> list[Statement]:
    """As many as fit; one that would overrun the length by less than it falls short without it still counts as fit."""
    kept: list[Statement] = []
    length = 0
    for statement in statements:
        more = len(statement.text.split())
        if kept and length + more / 2 > words:
            break
        kept.append(statement)
        length += more
    return kept
