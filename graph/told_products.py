"""Does a product's record account for a sentence about it? Numbers, live claims, words and denials, each by itself."""

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from graph.checked import Finding
from graph.phrasing import (
    FRAMING,
    MEASURES,
    NEUTRAL,
    Quantity,
    clauses,
    field_words,
    holds,
    is_negated,
    meaning,
    polar_words,
    polarities_of,
    quantities,
    roots_of,
    spelt_out,
    without_title,
)
from shopbot.claims import (
    amounts,
    claims_stock,
    denies_stock,
    prices_supported,
    repeats_option,
    stock_supported,
    without_live_claims,
)
from shopbot.language import stem, words
from shopbot.statements import SPOKEN, Source, Statement

EXACT_FIELDS = frozenset({"stock", "sizes", "colors"})
# Claims of rank or promise that a single record cannot support.
RANKING = frozenset(
    stem(word)
    for word in """best cheapest warmest lightest most least cheaper lighter warmer better ideal perfect always
    guaranteed every all""".split()
)
_DENIED = frozenset(["not", "no", "never", "without", "none", "nor"])
_VALUES = roots_of("stock sold available")
_VAGUE = FRAMING - NEUTRAL  # names of fields that are everyday words, too: "is rated 24 kN" is no rating
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_MEASURED = re.compile(r"\d+(?:[.,]\d+)*(?: (?:g|kg|l|mm|cm|km|m|W|kN|gsm|minutes|hours|lumens|km)\b)?")
_BEST_FOR = re.compile(r"(?<!the )\bbest (?:for|suited|used)\b", re.IGNORECASE)
# What names a field beside its own name: what stands with it has to be the value of a field that it names.
_NAMED_BY = {
    "materials": re.compile(r"\bmade (?:of|from)\b", re.IGNORECASE),
    "fill": re.compile(r"\bfilled with\b", re.IGNORECASE),
    "season": re.compile(r"\bmade for\b", re.IGNORECASE),
    "best for": re.compile(r"\bmade for\b", re.IGNORECASE),
    "rating": re.compile(r"\bout of 5\b", re.IGNORECASE),
    "review count": re.compile(r"\breviews\b", re.IGNORECASE),
    "waterproof": re.compile(r"\bwater protection\b", re.IGNORECASE),
    "certification": re.compile(r"\bcertifi(?:ed|cation)\b", re.IGNORECASE),
    "beam": re.compile(r"\breaches\b", re.IGNORECASE),
    "fuel": re.compile(r"\bruns on\b", re.IGNORECASE),
}
_PLAIN_VALUES = frozenset(["yes", "included"])
_SPANS = frozenset(["year", "month", "week", "day"])  # of a warranty, or of anything else that lasts
_DESCRIPTION_WORDS = 3  # a number of the description is told with so many words of its sentence


def product_told(text: str, source: Source) -> tuple[Finding | None, tuple[Statement, ...]]:
    """The statements that account for a sentence about the source's product, or what is wrong with it."""
    product = source.product
    assert product is not None
    body = spelt_out(without_title(text, source.title))
    if not stock_supported(body, product, source.facts):
        return Finding.STOCK, ()
    if not prices_supported(body, [s.text for s in source.of("price")], product):
        return Finding.NUMBER, ()
    if _enumerates(body) and repeats_option(body, product):
        return Finding.REPETITION, ()
    rest = _BEST_FOR.sub("for", without_live_claims(body, product))
    title = roots_of(f"{source.title} {product.category}")
    if finding := _ranks(rest, source, title):
        return finding, ()
    carriers = _carriers_of_numbers(rest, source)
    if carriers is None:
        return Finding.NUMBER, ()
    supporting = tuple(dict.fromkeys([*carriers, *_live_spoken_of(body, source), *_spoken_of(rest, source)]))
    if finding := _words_supported(rest, supporting, title) or _denials_supported(body, supporting):
        return finding, ()
    if _named_but_untold(rest, source, title):
        return Finding.FIELD, ()
    return (None, supporting) if _informs(body, rest, supporting, title) else (Finding.EMPTY, ())


def _enumerates(body: str) -> bool:
    return claims_stock(body) or re.search(r"\bcomes? in\b", body) is not None


def _ranks(rest: str, source: Source, title: frozenset[str]) -> Finding | None:
    ranking = {stem(word) for word in words(rest)} & RANKING
    return Finding.RANKING if ranking - {stem(word) for word in words(source.title)} else None


def _live_spoken_of(body: str, source: Source) -> list[Statement]:
    """The statements of price and stock that the claims checked before rest on."""
    said = set(amounts(body))
    prices = [s for s in source.of("price") if said & set(amounts(s.text))]
    made = [s for s in source.of("sizes", "colors") if any(option in body for option in _options_of(s))]
    return [*prices, *(source.of("stock") if claims_stock(body) else []), *(made if _enumerates(body) else [])]


def _informs(body: str, rest: str, statements: Sequence[Statement], title: frozenset[str]) -> bool:
    """Whether the sentence says something of a statement's value, not only the name of its field."""
    if amounts(body) or claims_stock(body) or quantities(rest):
        return True
    said = {word for word, _ in polar_words(rest)} - title
    values = {word for s in statements for word in meaning(s.value or s.text)}
    if (said - (NEUTRAL - _VALUES)) & values:
        return True
    if any(option in body for s in statements if s.field in EXACT_FIELDS for option in _options_of(s)):
        return True
    return any(
        _label(s.field) & said for s in statements if s.denied or s.value.lower().startswith(("yes", "included"))
    )


def _options_of(statement: Statement) -> list[str]:
    tail = statement.text.partition(" in ")[2].rstrip(".")
    return [part for part in re.split(r", | and |sizes? ", tail) if part]


def _carriers_of_numbers(rest: str, source: Source) -> list[Statement] | None:
    """The statements that the sentence's numbers come from; None if one of them comes from nowhere.

    "480 g of down" is refused where 480 g is the weight: the sentence has to speak of the field whose number it says.
    The numbers of one statement keep their order and what they count: shell and lining do not swap their deniers.
    """
    carriers: dict[Statement, list[Quantity]] = {}
    last: Statement | None = None
    own = roots_of(f"{source.title} {source.product.category}") if source.product else frozenset()
    for quantity, near in zip(quantities(rest), _surroundings(rest), strict=True):
        near = " ".join(word for word in near.split() if not (roots_of(word) and roots_of(word) <= own - NEUTRAL))
        holders = [s for s in source.statements if _holds(s, quantity, source)]
        if (chosen := _carrier(quantity, near, rest, holders, last, source)) is None:
            return None
        carriers.setdefault(chosen, []).append(quantity)
        last = chosen
    for statement, used in carriers.items():
        whole = without_title(statement.text, source.title)
        in_order = statement.field == "features" or _is_subsequence(used, quantities(whole))  # features are a list
        if not in_order or not _counts_the_same(rest, whole):
            return None
    return list(carriers)


def _holds(statement: Statement, quantity: Quantity, source: Source) -> bool:
    return holds(quantity, quantities(without_title(statement.text, source.title)))


def _surroundings(text: str) -> list[str]:
    """For every number the words that may say what it is a number of: its part of the sentence, up to other numbers."""
    found = []
    for part in _parts(text):
        matches = list(_NUMBER.finditer(part))
        ends = [0, *(match.end() for match in _MEASURED.finditer(part))]
        starts = [*(match.start() for match in matches), len(part)]
        found += [part[ends[place] : starts[place + 1]] for place in range(len(matches))]
    return found


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[,;:.](?=\s)|\b(?:and|but|while|plus)\b", text) if part.strip()]


def _carrier(
    quantity: Quantity, near: str, rest: str, holders: list[Statement], last: Statement | None, source: Source
) -> Statement | None:
    """The statement, of those that hold a number, that is spoken of where the number stands."""
    spoken = [s for s in holders if _is_spoken_of(s, near, quantity[1], source)]
    if spoken:
        return max(spoken, key=lambda s: (s is last, len(meaning(near) & meaning(s.text)), -len(s.text)))
    if meaning(near) - FRAMING or any(_label(s.field) <= roots_of(near) for s in source.statements if s.value):
        return None
    if last in holders:
        return last
    spoken = [s for s in holders if _is_spoken_of(s, rest, quantity[1], source)]
    if spoken:
        return spoken[0]
    return holders[0] if len(holders) == 1 and _unit_tells(quantity, source) else None


def _unit_tells(quantity: Quantity, source: Source) -> bool:
    """Whether only one field of the record has numbers with this unit: "515 g" says what it is by itself."""
    unit = quantity[1]
    fields = {s.field for s in source.statements if any(unit == u for _, u in quantities(s.text))}
    return unit in MEASURES - _SPANS and len(fields - {"description"}) == 1


def _is_spoken_of(statement: Statement, near: str, unit: str, source: Source) -> bool:
    """Whether words near a number speak of the statement's field, and of no other with that unit more exactly."""
    said, told = roots_of(near), meaning(near) - FRAMING or meaning(near) - NEUTRAL
    if statement.field == "description":
        return len(said & meaning(statement.text)) >= _DESCRIPTION_WORDS
    own = _label(statement.field)
    shares = told & meaning(without_title(statement.text, source.title))
    if shares == told and len(told) > 1:
        return True
    if not (said & statement_anchors(statement) or (shares and 2 * len(shares) >= len(told))):
        return False
    others = {
        _label(s.field) for s in source.statements if s.value and s.field != statement.field and _may_have(s, unit)
    }
    others = {other for other in others if not other <= statement_anchors(statement) - own and not other <= _VAGUE}
    return not any(other <= said and (not own <= said or own < other) for other in others)


def _may_have(statement: Statement, unit: str) -> bool:
    """Whether a field is told in numbers of a unit; words ("fill: goose down") take part where the number has none."""
    units = {u for _, u in quantities(statement.value)}
    return unit in units or unit not in MEASURES


def statement_anchors(statement: Statement) -> frozenset[str]:
    """Roots of the words by which the statement's field is spoken of."""
    return roots_of(f"{statement.field} {SPOKEN.get(statement.field, '')}") | field_words(statement.field)


def _label(field: str) -> frozenset[str]:
    return roots_of(field)


def _is_subsequence(part: Sequence[Quantity], whole: Sequence[Quantity]) -> bool:
    rest = iter(number for number, _ in whole)
    return all(number in rest for number, _ in part)


def _counts_the_same(body: str, statement: str) -> bool:
    """No word close behind a number in the sentence stands, in the statement, behind another number only."""
    there = _words_after_numbers(statement, 4)
    for number, near in _words_after_numbers(body, 2):
        if number not in {other for other, _ in there}:
            continue
        own = {word for other, around in there if other == number for word in around}
        others = {word for other, around in there if other != number for word in around}
        if near & others - own:
            return False
    return True


def _words_after_numbers(text: str, reach: int) -> list[tuple[str, set[str]]]:
    found = []
    text = spelt_out(text)
    for match in _NUMBER.finditer(text):
        following = re.split(r"\d|[,;.]\s|\band\b", text[match.end() :])[0]
        close = [word for word, _ in polar_words(f"0{following}")][:reach]  # a unit is no word, but behind a number
        found.append((quantities(match.group())[0][0], set(close)))
    return found


def _spoken_of(rest: str, source: Source) -> list[Statement]:
    """Statements whose field is named, or one of whose values is said in full."""
    said = meaning(rest)
    return [s for s in source.statements if _is_named(s, said) or _is_told(s, said)]


def _is_named(statement: Statement, said: AbstractSet[str]) -> bool:
    if statement.field == "description":
        return len(said & meaning(statement.text)) >= _DESCRIPTION_WORDS
    return bool(said & statement_anchors(statement))


def _is_told(statement: Statement, said: AbstractSet[str]) -> bool:
    """Whether one of the values that a statement lists is in the sentence with all its words; of a "no" its label."""
    if _is_denial(statement) and not _label(statement.field) & said:
        return False
    items = (meaning(item) for item in re.split(r", | and |; ", statement.value))
    return any(item and item <= said and item - FRAMING for item in items)


def _named_but_untold(rest: str, source: Source, title: frozenset[str]) -> list[Statement]:
    """Statements whose field the sentence names and of whose value it says nothing: "care: regular fit".

    Not where the name stands in a value that it tells ("a hood that fits under a helmet"), or is part of a longer one
    that it tells ("fabric weight").
    """
    said = roots_of(re.sub(r"\bfits\b", " ", rest)) - title  # a verb: no hood has a fit because it fits a helmet
    fields = [s for s in source.statements if s.value]
    told = [s for s in fields if _tells_of(s, rest)]
    inside = {word for s in told for word in meaning(s.value)}
    by_other_names = {_NAMED_BY[s.field].pattern for s in told if s.field in _NAMED_BY}
    return [
        s
        for s in fields
        if s not in told and (_is_named_in_full(s, said - inside, told) or _is_named_otherwise(s, rest, by_other_names))
    ]


def _is_named_in_full(statement: Statement, said: AbstractSet[str], told: Iterable[Statement]) -> bool:
    label = _label(statement.field)
    return label <= said and not label <= _VAGUE and not any(label < _label(other.field) for other in told)


def _is_named_otherwise(statement: Statement, rest: str, told: AbstractSet[str]) -> bool:
    named = _NAMED_BY.get(statement.field)
    return named is not None and named.pattern not in told and named.search(rest) is not None


def _tells_of(statement: Statement, rest: str) -> bool:
    """Whether a sentence says anything of a statement's value: a word, a figure, or its plain yes or no."""
    telling = (meaning(statement.value) - _label(statement.field)) & meaning(rest)
    if _is_denial(statement):
        return is_negated(rest) or bool(telling)
    if statement.value.lower() in _PLAIN_VALUES:
        return True  # the name says it
    said = {number for number, _ in quantities(rest)}
    denies_alike = any(
        negated and (word, negated) in polar_words(rest) for word, negated in polar_words(statement.value)
    )
    return bool(telling) or denies_alike or any(number in said for number, _ in quantities(statement.value))


def _words_supported(rest: str, statements: Sequence[Statement], title: frozenset[str]) -> Finding | None:
    """Each meaning word stands in one of the statements with the same polarity."""
    known = {polar for statement in statements for polar in _polarities(statement)}
    held = {word for word, _ in known}
    telling = {word for s in statements for word in field_words(s.field)}
    for word, negated, in_denial in _words_in_clauses(rest):
        if (word, negated) in known or word in title or (in_denial and word in _labels_denied(statements)):
            continue
        if word in telling and word not in held and not negated:
            continue
        if word in held and not (word in NEUTRAL and not negated):
            return Finding.POLARITY
        if word not in FRAMING:
            return Finding.WORDS
    return None


def _words_in_clauses(text: str) -> Iterator[tuple[str, bool, bool]]:
    """Meaning words, whether each is denied, and whether anything in its clause is: "a cover is not included"."""
    for clause in clauses(text):
        denials = [part for part in re.split(r"\b(?:and|or)\b", clause) if is_negated(part)]
        in_denial = {word for part in denials for word in meaning(part)}
        yield from ((word, negated, word in in_denial) for word, negated in polar_words(clause))


def _polarities(statement: Statement) -> set[tuple[str, bool]]:
    """The statement's meaning words with their polarity; what it denies as a whole is denied."""
    if denied := _labels_denied([statement]):
        return {*polar_words(statement.value), *((word, True) for word in denied)}
    items = statement.value.split(" and ") if " and " in statement.value else []
    told = polar_words(statement.text) if statement.value else polarities_of(statement.text)
    return {*told, *(polar for item in items for polar in polar_words(item))}


def _labels_denied(statements: Iterable[Statement]) -> set[str]:
    return {word for s in statements if _is_denial(s) for word in _label(s.field)}


def _is_denial(statement: Statement) -> bool:
    return (bool(statement.denied) and statement.field != "features") or statement.value == "0"


def _denials_supported(body: str, statements: Sequence[Statement]) -> Finding | None:
    """A clause that denies something rests on a statement that denies the same."""
    denied = {word for s in statements for word, negated in _polarities(s) if negated}
    for clause in clauses(body):
        if not is_negated(clause) or denies_stock(clause) or set(words(clause)) <= _DENIED | {"yes"}:
            continue
        if not denied & {word for word, _ in polar_words(clause)}:
            return Finding.POLARITY
    return None
