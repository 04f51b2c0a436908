"""What a message asks of the catalog as a whole: a kind of product, limits in the customer's own words, and what of it.

"The cheapest tent under 2 kg" is a kind (tents), a limit (weight below 2 kg) and an order (price, lowest first). All
words come from the pinned catalog version, so that any catalog can be asked; only English itself is written down here.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from graph.amounts import with_digits
from graph.asking import nearest_word
from graph.bounds import read_bounds
from graph.features import read_features
from graph.options import read_colors, read_sizes
from graph.remainder import Remainder
from graph.superlatives import Order, read_order
from graph.vocabulary import Kind, Vocabulary
from shopbot.language import STOPWORDS, words
from shopbot.limits import Limits

Ask = Literal["list", "count", "best", "compare"]

COMPARES = re.compile(r"\b(?:compar\w+|versus|vs\.?|differen\w+|side by side)\b", re.IGNORECASE)
_COUNT = re.compile(r"\bhow many\b|\b(?:number|count) of\b", re.IGNORECASE)
_IN_STOCK = re.compile(
    r"\b(?:in[- ]stock|available(?: now| today| right now)?|not sold out|still (?:have|got))\b", re.IGNORECASE
)
# Words of ordering that are recognised when they are misspelt.
_ORDERING = (
    "cheapest lightest heaviest warmest brightest biggest largest smallest expensive affordable cheaper lighter warmer"
    " something anything everything compare between under below waterproof"
).split()


@dataclass(frozen=True)
class Wish:
    """What a message asks of the catalog. `rest` are words that are none of it, so that a search has to help.

    `unread` is an amount that no record of the kind measures, or no amount at all; `most` so many are shown at most.
    """

    ask: Ask
    limits: Limits = field(default_factory=Limits)
    kind: Kind | None = None
    order: Order | None = None
    rest: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    most: int | None = None

    @property
    def is_selective(self) -> bool:
        """Whether a message limits, orders, counts or compares, rather than only naming a kind of product."""
        return bool(self.limits or self.order or self.ask != "list")

    @property
    def is_closed(self) -> bool:
        """Whether the answer can be computed over all products of the kind."""
        return self.kind is not None and not self.rest and not self.unread


def read_wish(question: str, vocabulary: Vocabulary, currency: str, locale: str, kind: Kind | None = None) -> Wish:
    """Read what a message asks of the catalog; `kind` is what it is about where it names none itself.

    The order matters: each step blanks out what it has understood, and the last one reads what is left.
    """
    text = Remainder(with_digits(_corrected(question.replace("’", "'"), vocabulary)))
    kind = _read_kind(text, vocabulary) or kind
    ids = kind.product_ids if kind else tuple(vocabulary.products)
    compares, counts = COMPARES.search(text.text), _COUNT.search(text.text)
    order = read_order(text, vocabulary, ids)
    bounds = read_bounds(text, vocabulary.measures(ids), currency, locale)
    in_stock = text.take(_IN_STOCK)
    sizes = read_sizes(text, vocabulary)
    colors, color_said = read_colors(text, vocabulary, ids)
    features, rest = read_features(text, vocabulary, kind)
    limits = Limits(bounds.price, bounds.measures, colors, color_said, sizes, in_stock, features)
    ask: Ask = "compare" if compares else "count" if counts else "best" if order else "list"
    return Wish(ask, limits, kind, order, rest, bounds.unread)


def _read_kind(text: Remainder, vocabulary: Vocabulary) -> Kind | None:
    said = words(text.text)
    kind = vocabulary.kind_in(said)
    if kind:
        shown = r"\W+".join(map(re.escape, said[kind.place : kind.end]))
        text.take(re.compile(rf"\b{shown}(?:'s)?\b", re.IGNORECASE))
    return kind


def _corrected(text: str, vocabulary: Vocabulary) -> str:
    """The text with misspelt words of ordering and kinds of products written right: "cheepest tnet"."""

    def right(found: re.Match[str]) -> str:
        word = found[0]
        if word.lower() in STOPWORDS or vocabulary.is_known(word):
            return word
        return nearest_word(word.lower(), _ORDERING) or vocabulary.nearest_head(word.lower()) or word

    return re.sub(r"[A-Za-z]{4,}", right, text)
