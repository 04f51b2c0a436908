"""What a message asks of the catalog as a whole: a kind of product, limits in the customer's own words, and what of it.

"The cheapest tent under 2 kg" is a kind (tents), a limit (weight below 2 kg) and an order (price, lowest first). All
words come from the pinned catalog version, so that any catalog can be asked; only English itself is written down here.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

from graph.asking import ASKING, ASKING_WORDS, nearest_word
from graph.vocabulary import BASIC_COLORS, EVERYTHING, Kind, Vocabulary
from shopbot.errors import InputError
from shopbot.language import STOPWORDS, canonical_number, stem, words
from shopbot.limits import PRICE, Feature, Limits, Measure, Range, singular
from shopbot.measures import UNITS, Quantity, quantity
from shopbot.money import format_money, to_minor

# "Around" an amount is taken to mean within this share of it; the answer says so.
AROUND = Fraction(1, 5)
Ask = Literal["list", "count", "best", "compare"]

_NUMBER = r"(?:(?:minus\s*|(?<![\w.])[-−])?\d+(?:[.,]\d+)*)"
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_CURRENCY = r"dollars?|bucks?|usd|euros?|eur|gbp|quid"
_AMOUNT = rf"(?P<sign{{n}}>[$€£]\s*)?(?P<number{{n}}>{_NUMBER})(?:[\s-]?(?P<unit{{n}}>{_CURRENCY}|{_UNIT})(?![a-z]))?"
_BELOW = r"under|below|less than|cheaper than|lighter than|smaller than|fewer than|colder than"
_AT_MOST = (
    r"at most|at the most|no more than|not more than|up to|max(?:imum)?(?: of)?|within|no heavier than"
    r"|not over|not above|no pricier than|as low as|down to|tops|<=|≤"
)
_ABOVE = r"over|above|more than|heavier than|bigger than|larger than|longer than|brighter than|beyond"
_AT_LEAST = r"at least|min(?:imum)?(?: of)?|no less than|not less than|starting (?:at|from)|upwards of|>=|≥"
_ROUGHLY = r"around|about|roughly|approximately|approx|circa|~|something like"
_COMPARATORS = (
    ("below", _BELOW),
    ("at most", _AT_MOST),
    ("above", _ABOVE),
    ("at least", _AT_LEAST),
    ("around", _ROUGHLY),
)
_LEAD = "|".join(rf"(?P<{name.replace(' ', '_')}>(?<!\w)(?:{pattern}))" for name, pattern in _COMPARATORS)
_BOUND = re.compile(rf"(?:{_LEAD})\s*{_AMOUNT.format(n='')}", re.IGNORECASE)
_BETWEEN = re.compile(
    rf"(?:\b(?:between|from)\s+)?{_AMOUNT.format(n=1)}\s*(?:and|to|[-–—])\s*{_AMOUNT.format(n=2)}", re.IGNORECASE
)
_AFTER = re.compile(
    rf"{_AMOUNT.format(n='')}\s*(?:(?P<at_most>or (?:less|under|below|lighter|cheaper)|max(?:imum)?\b|tops\b|at most)"
    rf"|(?P<at_least>or (?:more|above|over|up|higher)|and (?:up|above|over|more)|\+|plus\b|minimum\b))",
    re.IGNORECASE,
)
_EXACT = re.compile(rf"{_AMOUNT.format(n='')}", re.IGNORECASE)
# How units are written.
_SHOWN = {
    **dict.fromkeys(("c", "°c", "celsius", "degrees", "degree", "centigrade", "°"), "°C"),
    **dict.fromkeys(("f", "°f", "fahrenheit"), "°F"),
    **dict.fromkeys(("person", "persons", "man", "p", "sleeper", "sleepers"), "people"),
}  # fmt: skip
_DIGITS = {
    word: str(number) for number, word in enumerate("one two three four five six seven eight nine ten".split(), start=1)
}
_COUNTED = re.compile(
    rf"\b(?P<before>(?:sleeps?|for|(?:room|space|enough) for)\s+)?(?P<number>{'|'.join(_DIGITS)}|\d+)"
    r"(?P<after>[\s-]*(?:person|persons|people|man|p|adults)\b)?(?P<more>\s+or (?:more|less|fewer)\b)?",
    re.IGNORECASE,
)

# An adjective, what it compares and which way, best guess first; what the kind's records have decides.
_LOW, _HIGH = "low", "high"
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
_SUPERLATIVE = r"\b(?:(?P<least>least)\s+|most\s+)(?:{adjective})\w*|\b(?:{adjective})(?:i?e?st|ed)\b"
# The superlative that orders the way a comparative does.
AS_ORDER = {
    "cheaper": "cheapest", "less expensive": "least expensive", "more affordable": "most affordable",
    "pricier": "priciest",
    "more expensive": "most expensive", "lighter": "lightest", "heavier": "heaviest", "warmer": "warmest",
    "brighter": "brightest", "bigger": "biggest", "larger": "largest", "roomier": "roomiest", "smaller": "smallest",
    "thicker": "thickest", "thinner": "thinnest", "better rated": "best rated", "higher rated": "highest rated",
}  # fmt: skip
_MOST = re.compile(
    r"\b(?:the )?(most|highest|longest|largest|biggest|greatest|best)\s+(?P<label>\w+(?:[ -]\w+)?)", re.IGNORECASE
)
_LEAST = re.compile(r"\b(?:the )?(least|lowest|fewest|shortest|smallest)\s+(?P<label>\w+(?:[ -]\w+)?)", re.IGNORECASE)
_BOILS = re.compile(r"\bboils? (?:the |my )?water\b", re.IGNORECASE)
_COUNT = re.compile(r"\bhow many\b|\b(?:number|count) of\b", re.IGNORECASE)
COMPARES = re.compile(r"\b(?:compar\w+|versus|vs\.?|differen\w+|side by side)\b", re.IGNORECASE)
_IN_STOCK = re.compile(
    r"\b(?:in[- ]stock|available(?: now| today| right now)?|not sold out|still (?:have|got))\b", re.IGNORECASE
)
_SIZE = re.compile(
    r"\b(?:in\s+)?(?:(?:eu|us|uk)\s+)?sizes?\s+(?:eu\s+)?(?P<named>[\w/.-]+)"
    r"|\bin\s+(?:an?\s+)?(?P<short>x{0,3}[sl]|m)\b",
    re.IGNORECASE,
)
_SIZE_WORDS = {"small": "S", "medium": "M", "large": "L", "extra small": "XS", "extra large": "XL"}
# Words of ASKING_WORDS that say what a thing has to be like, where they are not understood as anything else.
_MEANT = frozenset(
    stem(word)
    for word in """warm heavy light big long winter summer spring autumn fall warmer men mens women womens kid
    kids""".split()
)
_NEGATED = frozenset("not no non without".split())
# Words of asking for a set of products, besides those of asking for anything.
_SET_WORDS = frozenset(
    stem(word)
    for word in """list many number count total altogether different cheap affordable inexpensive pricey expensive
    priced budget
    compare versus difference between around about roughly least most lowest highest rated top made comes available left
    within maximum minimum weigh weighs weighing rating stars only cost costing spend spending smallest largest biggest
    longest shortest brightest thickest thinnest fastest quickest roomiest popular warmest lighter cheaper heavier
    category categories assortment catalog choose pick under over suitable kg please ones""".split()
)


@dataclass(frozen=True)
class Order:
    """What the products are ordered by: "price" or an attribute's label, and whether low or high is wanted.

    `said` is the customer's word: "cheapest".
    """

    field: str
    direction: str
    said: str


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
    """Read what a message asks of the catalog; `kind` is what it is about where it names none itself."""
    return _Reader(question, vocabulary, currency, locale).wish(kind)


class _Reader:
    """Reads one message; what has been understood is blanked out, what is left at the end is `rest`."""

    def __init__(self, question: str, vocabulary: Vocabulary, currency: str, locale: str) -> None:
        self._text = _with_digits(corrected(question.replace("’", "'"), vocabulary))
        self._vocabulary = vocabulary
        self._currency = currency
        self._locale = locale
        self._unread: list[str] = []
        self._is_anything = True
        self._head = ""

    def wish(self, going_on: Kind | None) -> Wish:
        kind = self._kind() or going_on
        ids = kind.product_ids if kind else tuple(self._vocabulary.products)
        self._is_anything = kind is None or kind.head in EVERYTHING
        self._head = kind.head if kind else ""
        is_count, compares = _COUNT.search(self._text), COMPARES.search(self._text)
        order = self._order(ids)
        price, measures = self._bounds(ids)
        in_stock = self._take(_IN_STOCK)
        sizes = self._sizes()
        colors, color_said = self._colors(ids)
        features, rest = self._features(ids if kind else ())
        limits = Limits(price, measures, colors, color_said, sizes, in_stock, features)
        ask: Ask = "compare" if compares else "count" if is_count else "best" if order else "list"
        return Wish(ask, limits, kind, order, rest, tuple(self._unread))

    # ------------------------------------------------------------ what is blanked out

    def _take(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.search(self._text)
        if found:
            self._blank(found)
        return found is not None

    def _blank(self, found: re.Match[str]) -> None:
        self._text = self._text[: found.start()] + " · " + self._text[found.end() :]

    def _kind(self) -> Kind | None:
        said = words(self._text)
        kind = self._vocabulary.kind_in(said)
        if kind:
            shown = r"\W+".join(map(re.escape, said[kind.place : kind.end]))
            if found := re.search(rf"\b{shown}(?:'s)?\b", self._text, re.IGNORECASE):
                self._blank(found)
        return kind

    # ------------------------------------------------------------ numbers

    def _bounds(self, ids: Sequence[str]) -> tuple[Range | None, tuple[Measure, ...]]:
        price: Range | None = None
        measures: dict[str, Range] = {}
        known = self._vocabulary.measures(ids)

        def add(found: re.Match[str], amounts: Sequence[tuple[str | None, str, str | None]], how: str) -> bool:
            nonlocal price
            if all(self._is_money(sign, number, unit, found[0], known) for sign, number, unit in amounts):
                bounds = self._price(how, [number for _, number, _ in amounts])
                price = price.both(bounds) if price and bounds else bounds or price
                return bounds is not None
            label, bounds = self._measure(found, amounts, how, known)
            if label and bounds:
                measures[label] = measures[label].both(bounds) if label in measures else bounds
            return label is not None

        for pattern, how_of, is_sure in (
            (_BETWEEN, _is_between, True), (_AFTER, _named_group, True), (_BOUND, _named_group, True),
            (_EXACT, _exactly, False),
        ):  # fmt: skip
            for found in list(pattern.finditer(self._text))[::-1]:
                how = how_of(found)
                amounts = _amounts(found)
                if how and amounts and (is_sure or _is_exact(found)):
                    if not add(found, amounts, how) and is_sure:
                        self._unread.append(found[0].strip())
                    self._blank(found)
        return price, tuple(Measure(label, bounds) for label, bounds in measures.items())

    def _is_money(
        self, sign: str | None, number: str, unit: str | None, said: str, known: Iterable[tuple[str, str]]
    ) -> bool:
        if sign or (unit and re.fullmatch(_CURRENCY, unit, re.IGNORECASE)):
            return True
        if unit in ("pound", "pounds") and self._currency == "GBP":
            return True
        # A bare number is money unless it is negative, or the words beside it say what it measures: "rating above 4.5".
        return not unit and not _plain(number).startswith("-") and self._labelled(said, known) is None

    def _price(self, how: str, numbers: Sequence[str]) -> Range | None:
        try:
            amounts = [to_minor(canonical_number(number), self._currency) for number in numbers]
        except InputError:
            return None
        return _range(how, [Fraction(amount) for amount in amounts], self._money)

    def _money(self, amount: Fraction) -> str:
        return money(amount, self._currency, self._locale)

    def _measure(
        self, found: re.Match[str], amounts: Sequence[tuple[str | None, str, str | None]], how: str,
        known: dict[tuple[str, str], int],
    ) -> tuple[str | None, Range | None]:  # fmt: skip
        """The attribute that an amount is of, and its bounds; the unit of the second also holds for the first."""
        unit = next((unit for _, _, unit in reversed(amounts) if unit), "") or ""
        if not unit and any(_plain(number).startswith("-") for _, number, _ in amounts):
            unit = "c"  # nothing else that is sold goes below zero
        try:
            read = [quantity(_plain(number), own or unit) for _, number, own in amounts]
        except (ValueError, ZeroDivisionError):
            return None, None
        if unit:
            known = {name: count for name, count in known.items() if name[1] == read[0].dimension}
        label = self._labelled(found[0], known) or _most_of(known, read[0], unit)
        if label is None:
            return None, None
        shown = {
            amount.amount: f"{_plain(number)} {_SHOWN.get(own or unit, own or unit)}".strip()
            for amount, (_, number, own) in zip(read, amounts, strict=True)
        }
        values = [amount.amount for amount in read]
        if read[0].dimension == "temperature" and how == "exactly":
            how = "at most"  # "a bag for -5 °C" has to be warm enough for it
        if (
            read[0].dimension == "people"
            and how == "exactly"
            and re.search(r"\b(?:sleeps?|fits?|for)\s*$", self._text[: found.start()])
        ):
            how = "at least"
        bounds = _range(how, sorted(values), lambda amount: shown.get(amount) or f"{float(amount):g}")
        said = re.sub(r"\b1 people\b", "1 person", bounds.said) if label in bounds.said else f"{label} {bounds.said}"
        return label, replace(bounds, said=f"for {said}" if label == "people" else said)

    def _labelled(self, said: str, known: Iterable[tuple[str, str]]) -> str | None:
        """The attribute whose name stands beside the amount."""
        place = self._text.find(said)
        beside = set(map(stem, words(self._text[max(0, place - 30) : place + len(said) + 20])))
        named = [label for label, _ in known if {stem(word) for word in words(label)} <= beside]
        return max(named, key=len, default=None)

    # ------------------------------------------------------------ order

    def _order(self, ids: Sequence[str]) -> Order | None:
        """The superlative of a message, as far as records of the kind have what it compares."""
        known = self._vocabulary.measures(ids)
        for pattern, direction in ((_MOST, _HIGH), (_LEAST, _LOW)):
            for found in pattern.finditer(self._text):
                if label := _label_of(found["label"], known):
                    self._blank(found)
                    return Order(label, direction, found[0].lower().removeprefix("the "))
        for adjective, choices in _ORDERS:
            said = re.search(_SUPERLATIVE.format(adjective=adjective), self._text, re.IGNORECASE)
            held = [choice for choice in choices if choice[0] == PRICE or _is_usual(choice[0], known, len(ids))]
            if said is None or not held:
                continue
            name, direction = held[0]
            if said["least"]:
                direction = _HIGH if direction == _LOW else _LOW
            self._blank(said)
            if name == "boil time":
                self._take(_BOILS)
            return Order(name, direction, said[0].lower())
        return None

    # ------------------------------------------------------------ options

    def _sizes(self) -> frozenset[str]:
        found: set[str] = set()
        for match in list(_SIZE.finditer(self._text))[::-1]:
            if size := self._vocabulary.size(
                _SIZE_WORDS.get((match["named"] or match["short"]).lower(), match["named"] or match["short"])
            ):
                found.add(size)
                self._blank(match)
        for said, letter in _SIZE_WORDS.items():
            pattern = re.compile(rf"\bin (?:an? )?(?:size )?{said}\b", re.IGNORECASE)
            if (size := self._vocabulary.size(letter)) and self._take(pattern):
                found.add(size)
        return frozenset(found)

    def _colors(self, ids: Sequence[str]) -> tuple[frozenset[str], str]:
        """Colours of the catalog that are asked for, and the word for them; a basic colour that it has not, too."""
        for pattern in (
            r"\bin (?:the )?(?:colou?r )?(\w+ \w+)\b",
            r"\bin (?:the )?(?:colou?r )?(\w+)\b",
            r"\b(\w+ \w+)\b",
            r"\b(\w+)\b",
        ):
            for found in re.finditer(pattern, self._text, re.IGNORECASE):
                said, is_sure = found[1].lower(), found[0].lower().startswith("in ")
                colors = self._vocabulary.colors(said)
                if not colors and said not in BASIC_COLORS:
                    continue
                if not is_sure and (said not in BASIC_COLORS and self._is_also_feature(said, ids)):
                    continue
                if said in BASIC_COLORS and self._names_a_field(found, ids):
                    continue
                self._blank(found)
                return colors or frozenset({said}), said
        return frozenset(), ""

    def _is_also_feature(self, said: str, ids: Sequence[str]) -> bool:
        return any(stem(word) in ASKING or self._vocabulary.feature(word, ids) for word in words(said))

    def _names_a_field(self, found: re.Match[str], ids: Sequence[str]) -> bool:
        """Whether a colour is the first word of a field's name: "red light"."""
        following = words(self._text[found.end() :])[:1]
        labels = {
            tuple(words(key.replace("_", " ")))[:2] for i in ids for key in self._vocabulary.products[i].attributes
        }
        return (found[1].lower(), *following) in labels

    def _features(self, ids: Sequence[str]) -> tuple[tuple[Feature, ...], tuple[str, ...]]:
        """What the words that are left say of products of the kind, and those that say nothing of them."""
        features: dict[str, Feature] = {}
        rest: list[str] = []
        for phrase in self._vocabulary.phrases(ids):
            pattern = r"[\s-]+".join(map(re.escape, re.split(r"[\s-]+", phrase.word)))
            if self._take(re.compile(rf"\b{pattern}s?\b", re.IGNORECASE)):
                features[phrase.word] = phrase
        said = words(self._text)
        for place, word in enumerate(said):
            if word in STOPWORDS or len(word) < 2 or word[0].isdigit() or word in _NEGATED | _WEAK:
                continue
            feature = None if stem(word) in _SET_WORDS else self._feature(word, ids)
            if feature:
                negated = _NEGATED & set(said[max(0, place - 2) : place])
                features[feature.word] = replace(feature, is_wanted=not negated)
            elif stem(word) in _MEANT or not self._is_filler(word, ids):
                rest.append(word)
        return tuple(features.values()), tuple(rest)

    def _feature(self, word: str, ids: Sequence[str]) -> Feature | None:
        """What a word says of the products, where it says something: words of asking do so as a choice at most."""
        feature = self._vocabulary.feature(word, ids)
        if feature is None or stem(word) in _MEANT or feature.is_named or self._vocabulary.is_choice(feature):
            return feature
        if self._is_anything:
            return None  # of a whole catalog, a word in somebody's list of highlights says nothing
        return None if self._is_filler(word, ids) else feature

    def _is_filler(self, word: str, ids: Sequence[str]) -> bool:
        """Whether a word only asks, names an attribute, or names the kind once more."""
        stemmed = stem(word)
        return (
            stemmed in ASKING_WORDS | _SET_WORDS
            or word in EVERYTHING
            or stemmed in self._vocabulary.label_words(ids)
            or singular(word) == self._head
        )


# Words that are values of some choice, and mean something else in a question.
_WEAK = frozenset("high low medium none yes no included not long short good fit need needed by with top up".split())


def money(minor: Fraction, currency: str, locale: str) -> str:
    """An amount as customers say it: "$200", "$299.50"."""
    return re.sub(r"[.,]00$", "", format_money(round(minor), currency, locale))


def _with_digits(text: str) -> str:
    """Numbers of people in digits and with their unit: "sleeps four", "for two people", "a two-man tent"."""

    def written(found: re.Match[str]) -> str:
        number = _DIGITS.get(found["number"].lower(), found["number"])
        before, more = (found["before"] or "").lower(), found["more"] or ""
        if before.startswith(("room", "space")):
            return f"for {number} people{more}"
        if found["after"] or before.startswith("sleep"):
            return f"{found['before'] or ''}{number} people{more}"
        return f"{number}{more}" if more and not before else found[0]

    return _COUNTED.sub(written, re.sub(r"\bbelow (?:zero|freezing)\b", "below 0 °C", text, flags=re.IGNORECASE))


def corrected(text: str, vocabulary: Vocabulary) -> str:
    """The text with misspelt words of ordering and kinds of products written right: "cheepest tnet"."""

    def right(found: re.Match[str]) -> str:
        word = found[0]
        if word.lower() in STOPWORDS or vocabulary.is_known(word):
            return word
        return nearest_word(word.lower(), _ORDERING) or vocabulary.nearest_head(word.lower()) or word

    return re.sub(r"[A-Za-z]{4,}", right, text)


_ORDERING = (
    "cheapest lightest heaviest warmest brightest biggest largest smallest expensive affordable cheaper lighter warmer"
    " something anything everything compare between under below waterproof"
).split()


def _amounts(found: re.Match[str]) -> list[tuple[str | None, str, str | None]]:
    groups = found.groupdict()
    places = ("1", "2") if "number1" in groups else ("",)
    return [(groups[f"sign{n}"], groups[f"number{n}"], (groups[f"unit{n}"] or "").lower() or None) for n in places]


def _named_group(found: re.Match[str]) -> str | None:
    return next((name.replace("_", " ") for name, text in found.groupdict().items() if text and name in _HOW), None)


_HOW = frozenset({"below", "at_most", "above", "at_least", "around"})


def _is_between(found: re.Match[str]) -> str | None:
    """Two amounts are a range where one has a unit or a sign, or "between" stands before them."""
    groups = found.groupdict()
    has_unit = any(groups[name] for name in ("sign1", "sign2", "unit1", "unit2"))
    return "between" if has_unit or found[0].lower().startswith(("between", "from")) else None


def _exactly(found: re.Match[str]) -> str | None:
    return "exactly"


def _is_exact(found: re.Match[str]) -> bool:
    """A bare amount limits only where its unit says what it is of: "2-person tents", "a bag for -5 °C"."""
    unit = (found["unit"] or "").lower()
    if _plain(found["number"]).startswith("-"):
        return True
    return unit in UNITS and UNITS[unit][0] in ("people", "temperature", "volume", "light")


def _range(how: str, values: Sequence[Fraction], shown: Callable[[Fraction], str]) -> Range:
    value = values[0]
    if how == "between":
        low, high = min(values), max(values)
        return Range(low, high, said=f"from {shown(low)} to {shown(high)}")
    if how == "around":
        low, high = value - abs(value) * AROUND, value + abs(value) * AROUND
        return Range(low, high, said=f"around {shown(value)} (give or take {int(AROUND * 100)} %)")
    if how == "below":
        return Range(high=value, below=True, said=f"under {shown(value)}")
    if how == "above":
        return Range(low=value, above=True, said=f"over {shown(value)}")
    if how == "at most":
        return Range(high=value, said=f"at most {shown(value)}")
    if how == "at least":
        return Range(low=value, said=f"at least {shown(value)}")
    return Range(value, value, said=shown(value))


def _plain(number: str) -> str:
    return re.sub(r"^(?:minus\s*|−)", "-", number.strip(), flags=re.IGNORECASE)


def _most_of(known: dict[tuple[str, str], int], amount: Quantity, unit: str) -> str | None:
    """The attribute of that dimension that most of the products have; of weights the one that is called so."""
    fitting = {label: count for (label, dimension), count in known.items() if dimension == amount.dimension and unit}
    if amount.dimension == "length" and len(fitting) > 1:
        return None  # which length is meant has to be said
    preferred = [label for label in ("weight", "capacity", "comfort temp") if label in fitting]
    return preferred[0] if preferred else max(fitting, key=lambda label: fitting[label], default=None)


def _is_usual(label: str, known: dict[tuple[str, str], int], of: int) -> bool:
    """Whether at least half of the products state it."""
    return 2 * sum(count for (name, _), count in known.items() if name == label) >= of


def _label_of(said: str, known: Iterable[tuple[str, str]]) -> str | None:
    """The attribute that one or two words name, or begin to name: "burn time", "capacity"."""
    two = [stem(word) for word in words(said)]
    labels = {label: [stem(word) for word in words(label)] for label, _ in known}
    return next((label for label, stems in labels.items() if stems == two), None) or next(
        (label for label, stems in labels.items() if stems == two[:1]), None
    )
