"""Superlatives and comparatives, read as an order by what records of the kind have: "the lightest", "cheaper"."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from graph.remainder import Remainder
from graph.vocabulary import Vocabulary
from shopbot.language import stem, words
from shopbot.limits import PRICE

_LOW, _HIGH = "low", "high"
_SUPERLATIVE = r"\b(?:(?P<least>least)\s+|most\s+)(?:{adjective})\w*|\b(?:{adjective})(?:i?e?st|ed)\b"
# An adjective, what it compares and which way, best guess first; what the kind's records have decides.
_ORDERS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (r"cheap|affordable|inexpensive|budget|low[- ]?priced", ((PRICE, _LOW),)),
    (r"expensive|pric(?:e?y|i)|dear", ((PRICE, _HIGH),)),
    (r"light(?:weight)?", (("weight", _LOW),)),
    (r"heav(?:y|i)", (("weight", _HIGH),)),
    (r"warm", (("comfort temp", _LOW), ("r value", _HIGH), ("fill weight", _HIGH))),
    (r"bright", (("lumens", _HIGH),)),
    (r"bigg?|larg|room(?:y|i)|spacious", (("capacity", _HIGH), ("people", _HIGH), ("length", _HIGH))),
    (r"small|tin(?:y|i)|compact", (("capacity", _LOW), ("people", _LOW), ("packed length", _LOW))),
    (r"thick", (("thickness", _HIGH),)),
    (r"thinn?", (("thickness", _LOW),)),
    (r"fast|quick", (("boil time", _LOW), ("setup", _LOW))),
    (r"long(?:est)?[- ]?lasting", (("burn time", _HIGH),)),
    (r"(?:best|top|high(?:ly|est)?)[- ]?rat|popular", (("rating", _HIGH),)),
    (r"(?:most|best)[- ]review", (("review count", _HIGH),)),
)
_BY_ADJECTIVE = tuple(
    (re.compile(_SUPERLATIVE.format(adjective=adjective), re.IGNORECASE), choices) for adjective, choices in _ORDERS
)
# Superlatives of an attribute that is named: "the highest capacity".
_BY_NAME = (
    (r"\b(?:the )?(most|highest|longest|largest|biggest|greatest|best)\s+(?P<label>\w+(?:[ -]\w+)?)", _HIGH),
    (r"\b(?:the )?(least|lowest|fewest|shortest|smallest)\s+(?P<label>\w+(?:[ -]\w+)?)", _LOW),
)
_BOILS = re.compile(r"\bboils? (?:the |my )?water\b", re.IGNORECASE)
# The superlative that orders the way a comparative does.
_SUPERLATIVE_OF = {
    "cheaper": "cheapest", "less expensive": "least expensive", "more affordable": "most affordable",
    "pricier": "priciest", "more expensive": "most expensive", "lighter": "lightest", "heavier": "heaviest",
    "warmer": "warmest", "brighter": "brightest", "bigger": "biggest", "larger": "largest", "roomier": "roomiest",
    "smaller": "smallest", "thicker": "thickest", "thinner": "thinnest", "better rated": "best rated",
    "higher rated": "highest rated",
}  # fmt: skip
COMPARATIVE = re.compile(rf"\b(?P<word>{'|'.join(_SUPERLATIVE_OF)})\b(?P<than>\s+than\b)?", re.IGNORECASE)


@dataclass(frozen=True)
class Order:
    """What the products are ordered by: "price" or an attribute's label, and whether low or high is wanted.

    `said` is the customer's word: "cheapest".
    """

    field: str
    direction: str
    said: str


def read_order(text: Remainder, vocabulary: Vocabulary, ids: Sequence[str]) -> Order | None:
    """The superlative of a message, as far as records of the kind have what it compares."""
    known = vocabulary.measures(ids)
    return _named(text, known) or _of_adjective(text, known, len(ids))


def order_like(comparative: str, vocabulary: Vocabulary, ids: Sequence[str]) -> Order | None:
    """The order of a word that COMPARATIVE finds, in lower case: "cheaper" orders as "cheapest" does."""
    order = read_order(Remainder(_SUPERLATIVE_OF[comparative]), vocabulary, ids)
    return replace(order, said=comparative) if order else None


def _named(text: Remainder, known: Iterable[tuple[str, str]]) -> Order | None:
    for pattern, direction in _BY_NAME:
        for found in re.finditer(pattern, text.text, re.IGNORECASE):
            if label := _label_of(found["label"], known):
                text.blank(found)
                return Order(label, direction, found[0].lower().removeprefix("the "))
    return None


def _of_adjective(text: Remainder, known: Mapping[tuple[str, str], int], of: int) -> Order | None:
    for pattern, choices in _BY_ADJECTIVE:
        said = pattern.search(text.text)
        held = [choice for choice in choices if choice[0] == PRICE or _is_usual(choice[0], known, of)]
        if said is None or not held:
            continue
        name, direction = held[0]
        if said["least"]:
            direction = _HIGH if direction == _LOW else _LOW
        text.blank(said)
        if name == "boil time":
            text.take(_BOILS)
        return Order(name, direction, said[0].lower())
    return None


def _is_usual(label: str, known: Mapping[tuple[str, str], int], of: int) -> bool:
    """Whether at least half of the products state it."""
    return 2 * sum(count for (name, _), count in known.items() if name == label) >= of


def _label_of(said: str, known: Iterable[tuple[str, str]]) -> str | None:
    """The attribute that one or two words name, or begin to name: "burn time", "capacity"."""
    two = [stem(word) for word in words(said)]
    labels = {label: [stem(word) for word in words(label)] for label, _ in known}
    return next((label for label, stems in labels.items() if stems == two), None) or next(
        (label for label, stems in labels.items() if stems == two[:1]), None
    )
