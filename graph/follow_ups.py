"""What a conversation asks of the catalog: the last message, with what it takes over from those before it.

Everything here is decided from the words of the messages and the records that earlier answers named; no model is asked.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from graph.deps import Turn
from graph.turn import Message
from graph.vocabulary import Kind
from graph.wishes import AS_ORDER, Order, Wish, money, read_wish
from shopbot.language import stem, words
from shopbot.limits import PRICE, Limits, Measure, Range, measure_of, price_minor

MOST_SHOWN = 12
BRIEF = 9
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ORDINAL = re.compile(
    rf"\b(?:the|that|number|no\.?|#)\s*(?P<word>{'|'.join(_ORDINALS)}|last|\d{{1,2}})(?:st|nd|rd|th)?(?:\s+(?:one|item|option|product))?\b",
    re.IGNORECASE,
)
_ORDINAL_ONE = re.compile(r"\b(?:one|item|option|product)\b|\b(?:the|number|no\.?|#)\s*(?:\w+)\s*[?.!]*$", re.IGNORECASE)
_COMPARATIVE = re.compile(
    r"\b(?P<word>cheaper|less expensive|more affordable|pricier|more expensive|lighter|heavier|warmer|brighter|bigger|larger"
    r"|roomier|smaller|thicker|thinner|better rated|higher rated)\b(?P<than>\s+than\b)?",
    re.IGNORECASE,
)
_OF_THOSE = re.compile(r"\b(?:the|which(?: of)?(?: one| two| these| those)?(?: is| are)?|of (?:the|these|those|them))\b[^.?!]*", re.IGNORECASE)
_GOES_ON = re.compile(r"^\W*(?:and|also|what about|how about|or|but|only|just|ok(?:ay)?,?)\b", re.IGNORECASE)
_THEM = re.compile(r"\b(?:them|these|those|they|both|ones?)\b", re.IGNORECASE)
_COMPARES = re.compile(r"\b(?:compar\w+|versus|vs\.?|differen\w+|side by side)\b", re.IGNORECASE)
_IN_COLOR = re.compile(r"\bin\s+(?:the\s+)?(?:colou?r\s+)?(\w+)", re.IGNORECASE)


def chosen_of_shown(question: str, history: Sequence[Message], turn: Turn) -> str | None:
    """The product that "the second one" points to in the list that was last shown; None where it points to none."""
    found = _ORDINAL.search(question)
    if found is None or _ORDINAL_ONE.search(question) is None:
        return None
    shown = last_shown(history, turn)
    word = found["word"].lower()
    place = len(shown) - 1 if word == "last" else _ORDINALS.index(word) if word in _ORDINALS else int(word) - 1
    return shown[place] if len(shown) > 1 and 0 <= place < len(shown) else None


def last_shown(history: Sequence[Message], turn: Turn) -> list[str]:
    """Products of the last answer that named any, in the order in which it did."""
    answers = (message.content for message in reversed(history) if message.role == "assistant")
    return next((ids for text in answers if (ids := turn.lexicon.titles_in(text))), [])[:MOST_SHOWN]


def wish_of(question: str, history: Sequence[Message], turn: Turn) -> Wish | None:
    """What is asked of the catalog as a whole; None where it is about products by name, or about something else."""
    named = outright(question, turn)
    if relative := _relative(question, named, history, turn):
        return relative
    if len(named) > 1:
        return _of_set(question, [ids[0] for ids in named if len(ids) == 1], turn)
    wish = read(question, turn)
    if _COMPARES.search(question) and _THEM.search(question) and len(shown := last_shown(history, turn)) > 1:
        return Wish("compare", kind=these(shown[:2] if "two" in words(question) else shown))
    if named or (turn.lexicon.mentions(question) and not is_selective(wish)):
        return None
    earlier = _earlier(history, turn)
    if wish.kind and not _says_kind_only(question, wish):
        return wish
    if earlier and earlier.kind and len(words(question)) <= BRIEF:
        return _continued(question, wish, earlier, turn)
    return wish if wish.kind or wish.limits.price else None


def read(question: str, turn: Turn, kind: Kind | None = None) -> Wish:
    config = turn.deps.shop.config
    return read_wish(question, turn.lexicon.vocabulary, config.currency, config.locale, kind)


def outright(question: str, turn: Turn) -> list[list[str]]:
    """Products that are called by name; a colour behind "in" is no name."""
    colors = turn.lexicon.vocabulary
    text = _IN_COLOR.sub(lambda found: "" if colors.colors(found[1]) else found[0], question)
    return turn.lexicon.by_name(text)


def is_selective(wish: Wish) -> bool:
    """Whether a message limits, orders or counts, rather than only naming a kind of product."""
    return bool(wish.limits or wish.order or wish.ask != "list")


def these(product_ids: Sequence[str]) -> Kind:
    """Products that were named or shown, as a kind of their own."""
    return Kind("of these", "", tuple(product_ids))


def _says_kind_only(question: str, wish: Wish) -> bool:
    """Whether a message goes on and only names another kind: "and the boots?"."""
    return bool(_GOES_ON.match(question)) and not wish.limits and not wish.order and wish.ask == "list"


def _earlier(history: Sequence[Message], turn: Turn) -> Wish | None:
    """What the messages before asked of the catalog, the later ones narrowing the earlier; None after a product's name."""
    wish: Wish | None = None
    for message in (message for message in history if message.role == "user"):
        if outright(message.content, turn):
            wish = None
            continue
        found = read(message.content, turn)
        if wish and wish.kind and (found.kind is None or _says_kind_only(message.content, found)):
            wish = _continued(message.content, found, wish, turn) or wish
        elif found.kind:
            wish = found
    return wish


def _continued(question: str, wish: Wish, earlier: Wish, turn: Turn) -> Wish | None:
    """An earlier wish narrowed by a message, or asked of another kind; None where the message says nothing of either."""
    if wish.kind:
        limits = _for_kind(earlier.limits, wish.kind, turn)
        return replace(earlier, kind=wish.kind, limits=limits, rest=(), unread=())
    more = read(question, turn, earlier.kind)
    if more.rest or more.unread or not is_selective(more):
        return None
    ask = more.ask if more.ask != "list" else earlier.ask
    return replace(earlier, ask=ask, limits=earlier.limits.narrowed(more.limits), order=more.order or earlier.order)


def _for_kind(limits: Limits, kind: Kind, turn: Turn) -> Limits:
    """Limits as far as they can be meant of another kind of product."""
    vocabulary = turn.lexicon.vocabulary
    features = (vocabulary.feature(feature.word, kind.product_ids) for feature in limits.features)
    labels = {label for label, _ in vocabulary.measures(kind.product_ids)}
    sizes = {v.size for key in kind.product_ids for v in turn.version.products[key].variants if v.size}
    return replace(
        limits,
        features=tuple(feature for feature in features if feature),
        measures=tuple(measure for measure in limits.measures if measure.label in labels),
        sizes=limits.sizes & sizes,
    )


# ------------------------------------------------------------ cheaper, lighter, the cheaper one


def _relative(question: str, named: Sequence[Sequence[str]], history: Sequence[Message], turn: Turn) -> Wish | None:
    """ "Something cheaper", "lighter than the Tarn 2 Tent", "the cheaper one": against what was shown or is named."""
    found = _COMPARATIVE.search(question)
    if found is None:
        return None
    if re.match(r"\s*[$€£]?\s*\d", question[found.end() :]):
        return None  # "cheaper than $100" is a limit by itself
    shown = [ids[0] for ids in named if len(ids) == 1] or last_shown(history, turn)
    if not shown:
        return None
    word = found["word"].lower()
    is_of_those = found["than"] is None and _OF_THOSE.match(question.strip()) is not None
    if is_of_those and len(shown) > 1:
        order = _order(word, shown, turn)
        return Wish("best", kind=these(shown), order=order) if order else None
    wish = read(question.replace(found[0], " "), turn)
    earlier = _earlier(history, turn)
    before = earlier.kind if earlier and earlier.kind and shown[0] in earlier.kind.product_ids else None
    kind = wish.kind if wish.kind and wish.kind.categories else before or turn.lexicon.vocabulary.kind_of(shown[0])
    order = _order(word, kind.product_ids, turn)
    if order is None:
        return None
    limits = earlier.limits if earlier and kind is before else Limits()
    return Wish("list", limits.narrowed(_beyond(order, shown, turn)), kind, None, wish.rest)


def _order(word: str, ids: Sequence[str], turn: Turn) -> Order | None:
    wish = read(AS_ORDER.get(word, word), turn, these(ids))
    return replace(wish.order, said=word) if wish.order else None


def _beyond(order: Order, shown: Sequence[str], turn: Turn) -> Limits:
    """The limit that one product sets for something cheaper or lighter: of several shown, the best of them."""
    low = order.direction == "low"
    values: dict[str, Fraction] = {}
    facts = turn.deps.facts.read(shown)
    for key in shown:
        if order.field == PRICE:
            price = price_minor(facts.get(key))
            values |= {key: Fraction(price)} if price is not None else {}
        elif found := measure_of(turn.version.products[key], order.field):
            values[key] = found.amount
    if not values:
        return Limits()
    key = min(values, key=lambda name: values[name] if low else -values[name])
    bound, title = values[key], turn.version.products[key].title
    what = "" if order.field == PRICE else f"{order.field} "
    config = turn.deps.shop.config
    amount = f" ({money(bound, config.currency, config.locale)})" if order.field == PRICE else ""
    said = f"{what}{'under' if low else 'over'} that of the {title}{amount}"
    limit = Range(None if low else bound, bound if low else None, not low, low, said)
    return Limits(price=limit) if order.field == PRICE else Limits(measures=(Measure(order.field, limit),))


def _of_set(question: str, ids: Sequence[str], turn: Turn) -> Wish | None:
    """A comparison of products that are named, or which of them is the cheapest; None for any other question."""
    if len(ids) < 2:
        return None
    if _COMPARES.search(question):
        return Wish("compare", kind=these(ids))
    found = _COMPARATIVE.search(question)
    order = _order(found["word"].lower(), ids, turn) if found else read(question, turn, these(ids)).order
    return Wish("best", kind=these(ids), order=order) if order else None


def name_word_of(kind: Kind, product_id: str, turn: Turn) -> list[str]:
    """Products of a kind that bear the name of another: after the Corrie tent, "and the boots?" means the Corrie boots."""
    name = words(turn.version.products[product_id].title)[:1]
    return [key for key in kind.product_ids if [*map(stem, words(turn.version.products[key].title)[:1])] == [*map(stem, name)]]
