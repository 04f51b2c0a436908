"""What a conversation asks of the catalog: the last message, with what it takes over from those before it.

Everything here is decided from the words of the messages and the records that earlier answers named; no model is asked.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from graph.amounts import money
from graph.deps import Turn
from graph.routing import Route, route_scores
from graph.superlatives import COMPARATIVE, Order, order_like
from graph.turn import Message
from graph.vocabulary import EVERYTHING, Kind
from graph.wishes import COMPARES, Wish, read_wish
from shopbot.language import stem, words
from shopbot.limits import PRICE, Limits, Measure, Range, measure_of, price_minor

MOST_SHOWN = 20
"""Products of one answer that "the second one" can point to."""
MOST_RELATIVE = 5
"""So many are shown where something cheaper is asked for."""
BRIEF = 9
"""A message of at most so many words can narrow what was asked before."""
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_PLACE = rf"(?P<word>{'|'.join(_ORDINALS)}|last|\d{{1,2}}(?=st|nd|rd|th))(?:st|nd|rd|th)?"
_ORDINAL = re.compile(
    rf"\b(?:the\s+)?{_PLACE}(?:\s+(?:one|item|option|product)\b|(?=\s*[?.!,]*$))"
    r"|\b(?:number|no\.?|option)\s*(?P<number>\d{1,2})\b",
    re.IGNORECASE,
)
_THAN_AMOUNT = re.compile(r"\b\w+er than\s*[$€£]?\s*\d", re.IGNORECASE)
_WHICH_IS = re.compile(
    r"(?:and |so |ok |well )*(?:which|what)(?:'s| one| of (?:them|these|those)| is| are)", re.IGNORECASE
)
_GOES_ON = re.compile(r"^\W*(?:and|also|what about|how about|or|but|only|just|ok(?:ay)?,?)\b", re.IGNORECASE)
_THEM = re.compile(r"\b(?:them|these|those|they|both|ones?)\b", re.IGNORECASE)
_THE_CHEAPER_ONE = re.compile(
    r"\bthe (?P<word>cheaper|lighter|heavier|warmer|brighter|bigger|larger|smaller|pricier) one\b", re.IGNORECASE
)
_FIRST_FEW = re.compile(r"\b(?:first|those|these|the) (two|three|four|2|3|4)\b", re.IGNORECASE)
_IN_COLOR = re.compile(r"\bin\s+(?:the\s+)?(?:colou?r\s+)?(\w+)", re.IGNORECASE)


def resolved(question: str, history: Sequence[Message], turn: Turn) -> str:
    """The question with the name of a product for what points to one of those shown: "the second one", "the cheaper
    one", and, after the Everest jacket, "and the vest?"."""
    if not history:
        return question
    if found := _ORDINAL.search(question):
        shown = shown_lists(history, turn)[:1]
        if shown and (key := _at((found["word"] or found["number"]).lower(), shown[0])):
            return _named(question, found, key, turn)
    found = _THE_CHEAPER_ONE.search(question)
    if found and (shown := shown_lists(history, turn)[:1]):
        order = _order(found["word"], shown[0], turn)
        if order and (key := best_of(order, shown[0], turn)):
            return _named(question, found, key, turn)
    return _namesake(question, history, turn) or question


def _named(question: str, found: re.Match[str], product_id: str, turn: Turn) -> str:
    return f"{question[: found.start()]}the {turn.version.products[product_id].title}{question[found.end() :]}"


def _at(word: str, shown: Sequence[str]) -> str | None:
    place = len(shown) - 1 if word == "last" else _ORDINALS.index(word) if word in _ORDINALS else int(word) - 1
    return shown[place] if 0 <= place < len(shown) else None


def _namesake(question: str, history: Sequence[Message], turn: Turn) -> str | None:
    """ "And the vest?" after the Everest jacket, where one vest bears that name, too."""
    said = words(question)
    kind = turn.lexicon.vocabulary.kind_in(said)
    if not _GOES_ON.match(question) or kind is None or len(said) - (kind.end - kind.place) > 3:
        return None
    last = next((ids for ids in _shown(history, turn) if ids), [])
    if len(last) != 1 or last[0] in kind.product_ids:
        return None
    name = stem(words(turn.version.products[last[0]].title)[0])
    bearers = [key for key in kind.product_ids if stem(words(turn.version.products[key].title)[0]) == name]
    if len(bearers) != 1:
        return None
    return re.sub(
        rf"(?:the )?{re.escape(kind.said)}",
        f"the {turn.version.products[bearers[0]].title}",
        question,
        flags=re.IGNORECASE,
    )


def _shown(history: Sequence[Message], turn: Turn) -> list[list[str]]:
    """Products of each answer, latest first, in the order in which it names them."""
    return [
        turn.lexicon.titles_in(message.content)[:MOST_SHOWN]
        for message in reversed(history)
        if message.role == "assistant"
    ]


def shown_lists(history: Sequence[Message], turn: Turn) -> list[list[str]]:
    """Those of answers that named several products."""
    return [ids for ids in _shown(history, turn) if len(ids) > 1]


def wish_of(question: str, history: Sequence[Message], turn: Turn) -> Wish | None:
    """What is asked of the catalog as a whole; None where it is about products by name, or about something else."""
    named = outright(question, turn)
    if relative := _relative(question, named, history, turn):
        return relative
    if len(named) > 1:
        return _of_set(question, in_order(question, [ids[0] for ids in named if len(ids) == 1], turn), turn)
    wish = read(question, turn)
    if COMPARES.search(question) and (shown := _to_compare(question, history, turn)):
        return Wish("compare", kind=these(shown))
    if named or (turn.lexicon.mentions(question) and not wish.is_selective):
        return None
    if points_at_one(question, wish.kind):
        return None
    earlier = None if is_about_one(history, turn) else _earlier(history, turn)
    if wish.kind and not _says_kind_only(question, wish):
        return wish
    if earlier and earlier.kind and len(words(question)) <= BRIEF:
        return _continued(question, wish, earlier, turn)
    return wish if wish.kind or wish.limits.price else None


def points_at_one(question: str, kind: Kind | None) -> bool:
    """Whether one thing of a kind is meant, which has not been named: "is that jacket washable?"."""
    said = rf"\b(?:this|that) (?:\w+ )?{re.escape(kind.said)}\b" if kind else None
    return said is not None and re.search(said, question, re.IGNORECASE) is not None


def is_about_one(history: Sequence[Message], turn: Turn) -> bool:
    """Whether the last question was about one product: the answer names one, and nothing was asked of a kind."""
    asked = next((message.content for message in reversed(history) if message.role == "user"), "")
    latest = next(iter(_shown(history, turn)), [])
    return len(latest) == 1 and not asks_of_kinds(asked, turn)


def earlier_asking(history: Sequence[Message], turn: Turn) -> Sequence[Message]:
    """The history as far as a message can go on with it: not where a list was asked for.

    A story about a jacket that has to be repaired asks for none.
    """
    asked = next((message.content for message in reversed(history) if message.role == "user"), "")
    if not asks_of_kinds(asked, turn):
        return history
    about = route_scores(asked, turn.read(asked).meant, names_product=False)
    return history if about.best == Route.POLICY else []


def asks_of_kinds(question: str, turn: Turn) -> bool:
    """Whether a message by itself asks for products of a kind, or limits them."""
    found = read(question, turn)
    return not outright(question, turn) and (found.kind is not None or found.is_selective)


def _to_compare(question: str, history: Sequence[Message], turn: Turn) -> list[str]:
    """The products that "compare them" or "compare the first two" means, of those shown."""
    shown = next(iter(shown_lists(history, turn)), [])
    if found := _FIRST_FEW.search(question):
        return shown[: {"two": 2, "three": 3, "four": 4}.get(found[1].lower(), 2)]
    return shown if _THEM.search(question) else []


def read(question: str, turn: Turn, kind: Kind | None = None) -> Wish:
    config = turn.deps.shop.config
    return read_wish(question, turn.lexicon.vocabulary, config.currency, config.locale, kind)


def outright(question: str, turn: Turn) -> list[list[str]]:
    """Products that are called by name, or by their whole title; a colour behind "in" is no name."""
    colors = turn.lexicon.vocabulary
    text = _IN_COLOR.sub(lambda found: "" if colors.colors(found[1]) else found[0], question)
    return turn.lexicon.by_name(text) or [[key] for key in turn.lexicon.titles_in(question)]


def in_order(question: str, product_ids: Sequence[str], turn: Turn) -> list[str]:
    """Named products in the order in which the question has what tells each from the others."""
    said = [stem(word) for word in words(question)]
    titles = {key: {stem(word) for word in words(turn.version.products[key].title)} for key in product_ids}

    def place(key: str) -> int:
        others = set().union(*(titles[other] for other in product_ids if other != key))
        return min((said.index(word) for word in titles[key] - others if word in said), default=len(said))

    return sorted(product_ids, key=place)


def these(product_ids: Sequence[str]) -> Kind:
    """Products that were named or shown, as a kind of their own."""
    return Kind("of these", "", tuple(product_ids))


def _says_kind_only(question: str, wish: Wish) -> bool:
    """Whether a message goes on and only names another kind: "and the boots?"."""
    return bool(_GOES_ON.match(question)) and not wish.limits and not wish.order and wish.ask == "list"


def _earlier(history: Sequence[Message], turn: Turn) -> Wish | None:
    """What the messages before asked of the catalog, later ones narrowing earlier; None after a product's name."""
    wish: Wish | None = None
    for message in (message for message in history if message.role == "user"):
        if outright(message.content, turn):
            wish = None
            continue
        if COMPARATIVE.search(message.content) and not _THAN_AMOUNT.search(message.content):
            continue  # "something cheaper" is of the same kind
        found = read(message.content, turn)
        if wish and wish.kind and (found.kind is None or _says_kind_only(message.content, found)):
            wish = _continued(message.content, found, wish, turn) or wish
        elif found.kind:
            wish = found
    return wish


def _continued(question: str, wish: Wish, earlier: Wish, turn: Turn) -> Wish | None:
    """An earlier wish narrowed by a message, or asked of another kind; None where the message does neither."""
    if wish.kind:
        limits = _for_kind(earlier.limits, wish.kind, turn)
        return replace(earlier, kind=wish.kind, limits=limits, rest=(), unread=())
    more = read(question, turn, earlier.kind)
    if more.rest or more.unread or not more.is_selective:
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
    found = COMPARATIVE.search(question)
    if found is None:
        return None
    if _THAN_AMOUNT.search(question):
        return None  # a limit by itself
    word = found["word"]
    several = next(iter(shown_lists(history, turn)), [])
    if found["than"] is None and not named and _WHICH_IS.match(question.strip()) and several:
        order = _order(word, several, turn)
        return Wish("best", kind=these(several), order=order) if order else None
    if len(named) > 1:
        return None
    latest = next((ids for ids in _shown(history, turn) if ids), [])
    single = next((ids for ids in _shown(history, turn) if len(ids) == 1), [])
    shown = [ids[0] for ids in named if len(ids) == 1] or single or latest
    if not shown:
        return None
    text = (
        re.sub(re.escape(turn.version.products[shown[0]].title), " ", question, flags=re.IGNORECASE)
        if named
        else question
    )
    wish = read(text.replace(found[0], " "), turn)
    earlier = _earlier(history, turn)
    before = earlier.kind if earlier and earlier.kind and set(shown) & set(earlier.kind.product_ids) else None
    own = wish.kind if wish.kind and wish.kind.head not in EVERYTHING and not named else None
    kind = own or before or turn.lexicon.vocabulary.kind_of(shown[0])
    order = _order(word, kind.product_ids, turn)
    if order is None:
        return None
    limits = (earlier.limits if earlier and kind is before else Limits()).narrowed(wish.limits)
    return Wish("list", limits.narrowed(_beyond(order, shown, limits, turn)), kind, None, most=MOST_RELATIVE)


def best_of(order: Order, product_ids: Sequence[str], turn: Turn) -> str | None:
    """The cheapest, lightest ... of some products; None where no record says."""
    values = _values(order, product_ids, turn)
    low = order.direction == "low"
    return min(values, key=lambda key: values[key] if low else -values[key], default=None)


def _order(word: str, ids: Sequence[str], turn: Turn) -> Order | None:
    return order_like(word.lower(), turn.lexicon.vocabulary, ids)


def _values(order: Order, product_ids: Sequence[str], turn: Turn) -> dict[str, Fraction]:
    facts = turn.deps.facts.read(product_ids) if order.field == PRICE else {}
    values: dict[str, Fraction] = {}
    for key in product_ids:
        if order.field != PRICE:
            if found := measure_of(turn.version.products[key], order.field):
                values[key] = found.amount
        elif (price := price_minor(facts.get(key))) is not None:
            values[key] = Fraction(price)
    return values


def _beyond(order: Order, shown: Sequence[str], limits: Limits, turn: Turn) -> Limits:
    """The limit that a product sets for something cheaper or lighter: of several shown, the best of them."""
    key = best_of(order, shown, turn)
    if key is None:
        return Limits()
    bound, low = _values(order, [key], turn)[key], order.direction == "low"
    title, config = turn.version.products[key].title, turn.deps.shop.config
    said = f"{order.said} than the {title}"
    if order.field == PRICE:
        said = f"{said} ({money(bound, config.currency, config.locale)})"
    limit = Range(None if low else bound, bound if low else None, not low, low, said)
    if order.field == PRICE:
        return Limits(price=limits.price.both(limit) if limits.price else limit)
    return Limits(measures=(Measure(order.field, limit),))


def _of_set(question: str, ids: Sequence[str], turn: Turn) -> Wish | None:
    """A comparison of products that are named, or which of them is the cheapest; None for any other question."""
    if len(ids) < 2:
        return None
    if COMPARES.search(question):
        return Wish("compare", kind=these(ids))
    found = COMPARATIVE.search(question)
    order = _order(found["word"], ids, turn) if found else read(question, turn, these(ids)).order
    return Wish("best", kind=these(ids), order=order) if order else None
