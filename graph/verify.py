"""Is this sentence supported by the record that it cites? Pure functions; nothing is shown without passing.

The rule is conservative on purpose: a small model may be clumsy, it may not be wrong. A sentence passes when one
cited record accounts for all of it: every number, every product name, every claim about stock and every word that
carries meaning, with the same polarity. What is true but said in words of the model's own is refused too; the price
of that is measured as the model share, not paid by the customer.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from graph.lexicon import Lexicon
from graph.phrasing import (
    FRAMING,
    MEASURES,
    NEUTRAL,
    RETELLING,
    Polar,
    Quantity,
    clauses,
    denies_twice,
    field_words,
    holds,
    is_negated,
    meaning,
    polar_words,
    quantities,
    root,
    roots_of,
    spelt_out,
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
from shopbot.language import NEGATIONS, citation_numbers, stem, without_citations, words
from shopbot.statements import SPOKEN, Source, Statement

# Words that make a rule conditional: the retelling has to keep each of them.
CONDITIONS = roots_of(
    "if unless only except until after before within over under between up least most first never without"
)
_ORDER = roots_of("first next finally")  # what a step may be introduced by
_DENIED = frozenset(["not", "no", "never", "without", "none", "nor"])
_VALUES = roots_of("stock sold available")
PRONOUNS = frozenset(["it", "it's", "its", "this", "they", "these", "their", "them"])
_BACKWARD = PRONOUNS | frozenset(["there", "those", "that", "he", "she"])
# Claims of rank or promise that a single record cannot support.
RANKING_WORDS = (
    "best cheapest warmest lightest most least cheaper lighter warmer better ideal perfect always guaranteed every all"
)
RANKING = frozenset(stem(word) for word in RANKING_WORDS.split())
_MEASURED = re.compile(r"\d+(?:[.,]\d+)*(?: (?:g|kg|l|mm|cm|km|m|W|kN|gsm|minutes|hours|lumens|km)\b)?")
_VAGUE = FRAMING - NEUTRAL  # names of fields that are everyday words, too: "is rated 24 kN" is no rating
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_ADDRESS = re.compile(r"https?://\S+|\b[\w.+-]+@[\w-]+\.\w[\w.-]*\w|\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b(?:/\S*)?")
_BEST_FOR = re.compile(r"(?<!the )\bbest (?:for|suited|used)\b", re.IGNORECASE)
_IS_CONDITIONAL = re.compile(r"(?:if|when|after|before|unless|once|for|in|between)\b", re.IGNORECASE)
_HALVES = re.compile(r",? and (?=(?:we|you|it|they) )|; ")
_REASON = re.compile(r",? (?:because|so) [^.;]*\.?$")
_CASES = re.compile(r"\b(if|when) ([^,;.]+?) or ([^,;.]+)\.?$")
_OF_DATE = re.compile(r" of [A-Z][a-z]+ \d{1,2}\b")
_PARENTHESIS = re.compile(r"\s*\([^)]*\)")
_EXACT_FIELDS = frozenset({"stock", "sizes", "colors"})
_CONVEYED_SHARE = 0.7
_DESCRIPTION_WORDS = 3  # a number of the description is told with so many words of its sentence
_MOST_RULES = 3  # that one sentence of a policy is put together from


class Finding(StrEnum):
    """Why a sentence was held back."""

    EMPTY = "says nothing"
    REPETITION = "repeats itself"
    UNKNOWN_SOURCE = "cites a source that is not there"
    OTHER_PRODUCT = "does not name the product that it cites"
    NUMBER = "has a number that the record does not"
    STOCK = "claims a stock that the live record does not confirm"
    POLARITY = "says the opposite of the record"
    WORDS = "has words that the record does not account for"
    CONDITION = "leaves out a condition of the rule"
    RANKING = "ranks or promises, which one record cannot support"
    FIELD = "refers to another field than it speaks of"
    UNRESOLVED = "refers to a value that the record does not have"
    OPTION = "speaks of a size or color that was not asked for"
    SECTION = "names a policy section that was not found for the question"
    ADDRESS = "has a web or e-mail address that the record does not"


@dataclass(frozen=True)
class Check:
    """The outcome for one sentence: the source that supports it and the statements used, or the finding."""

    source: Source | None
    statements: tuple[Statement, ...] = ()
    finding: Finding | None = None

    @property
    def passed(self) -> bool:
        return self.finding is None


def check(sentence: str, sources: Mapping[int, Source], lexicon: Lexicon, previous: Check | None = None) -> Check:
    """Check one sentence of the model against what it cites, or against each source where it cites nothing.

    `previous` is the outcome of the sentence before it, which says what "it" is.
    """
    text = without_citations(sentence)
    if not (meaning(text) or quantities(text)) or text.rstrip().endswith("?"):
        return Check(None, finding=Finding.EMPTY)
    cited = citation_numbers(sentence)
    if not sources or any(number not in sources for number in cited):
        return Check(None, finding=Finding.UNKNOWN_SOURCE)
    if len(set(cited)) > 1:
        return Check(sources[cited[0]], finding=Finding.OTHER_PRODUCT)
    candidates = [sources[number] for number in (cited[:1] or sorted(sources))]
    checks = [_check_against(text, source, lexicon, len(sources) > 1, previous) for source in candidates]
    return next((item for item in checks if item.passed), checks[0])


# Words of saying that something is unknown, beyond those of the shop's own phrase.
_DENYING = roots_of(
    """nothing none entry see look looked find found list listed offer have having say says mention
    mentions record records catalog either way write person check ask team reach colleague tell guess know help"""
)
_DENIALS = frozenset(["nothing", "none", "no", "not"]) | NEGATIONS


def speaks_for(sentence: str, lead: str, about: Iterable[str], question: str) -> bool:
    """Whether a sentence says that something is unknown as the lead says it: of the same thing, adding nothing.

    `about` are stems of which it has to have one; its other words are the lead's, the customer's, or of denying.
    """
    allowed = roots_of(lead) | roots_of(question) | _DENYING
    return (
        bool(_DENIALS & set(words(sentence)))
        and not {stem(word) for word in words(sentence)}.isdisjoint(about)
        and not quantities(sentence)
        and meaning(sentence) <= allowed
    )


def conveys(statement: Statement, title: str, shown: str) -> bool:
    """Whether the shown text already tells what the statement tells.

    For a price that is the amount to pay, for stock and variants every word, otherwise the figures and most words.
    """
    if statement.field == "price" and (said := amounts(statement.text)):
        return said[0] in amounts(shown) and not (_sizes_in(statement) - roots_of(shown))
    told = meaning(without_title(statement.text, title)) - NEUTRAL
    share = 1.0 if statement.field in _EXACT_FIELDS else _CONVEYED_SHARE
    figures = set(quantities(without_title(statement.text, title)))
    return figures <= set(quantities(shown)) and len(told & meaning(shown)) >= share * len(told)


def _sizes_in(statement: Statement) -> frozenset[str]:
    """The roots of the size that a price is for, where it is for one size only."""
    is_sized = statement.text.startswith("In size ")
    return roots_of(statement.text.removeprefix("In size ").split(",")[0]) if is_sized else frozenset()


def without_title(text: str, title: str) -> str:
    """Take a product's title out of a text, also where some of its later words are left out ("Polar Night 1000")."""
    first, *others = [re.escape(word) for word in title.split()]
    return re.sub(
        rf"\b{first}" + "".join(rf"(?:[\s-]+{word})?" for word in others) + r"(?!\w)", " ", text, flags=re.IGNORECASE
    )


def _check_against(text: str, source: Source, lexicon: Lexicon, has_to_name: bool, previous: Check | None) -> Check:
    if quoted := tuple(s for s in source.statements if _is_quoted(s, text)):
        return Check(source, quoted)
    if _addresses(text) - {found for s in source.statements for found in _addresses(s.text)}:
        return Check(source, finding=Finding.ADDRESS)
    if _repeats(text, source):
        return Check(source, finding=Finding.REPETITION)
    if denies_twice(text):
        return Check(source, finding=Finding.POLARITY)
    if source.product is None:
        finding, statements = _check_policy(text, source, lexicon, previous)
    elif _names_another(text, source, lexicon) or (has_to_name and not _is_meant(text, source, lexicon, previous)):
        finding, statements = Finding.OTHER_PRODUCT, ()
    else:
        finding, statements = _check_product(text, source)
    return Check(source, statements if finding is None else (), finding)


def _is_quoted(statement: Statement, text: str) -> bool:
    return words(statement.text) == words(text) and quantities(statement.text) == quantities(text)


def _is_meant(text: str, source: Source, lexicon: Lexicon, previous: Check | None) -> bool:
    """Whether a sentence names the product, or points back to the one of the sentence before."""
    goes_on = previous is not None and previous.passed and previous.source == source
    return source.id in lexicon.named(text) or (goes_on and bool(PRONOUNS & set(words(text))))


def _names_another(text: str, source: Source, lexicon: Lexicon) -> bool:
    """Whether a text names a product that the record does not: "Pebble members" are none, nor is the colour Ember."""
    named = lexicon.others_named(text, [source.id] if source.product else [])
    if not named:
        return False
    title, said = roots_of(source.title) if source.product else frozenset(), roots_of(text)
    told = roots_of(" ".join(without_title(s.text, source.title) for s in source.statements))
    return any((roots_of(other) - title) & said - told for other in named)


def _addresses(text: str) -> set[str]:
    return {found.rstrip(".,;:)").lower() for found in _ADDRESS.findall(text)}


def _repeats(text: str, source: Source) -> bool:
    """Three times the same meaning word in one sentence is a model that has lost its thread; not if a record does so."""
    said = [word for word, _ in polar_words(text) if word not in FRAMING]
    often = {word for word in said if said.count(word) >= 3}
    return any(not _says_often(word, said.count(word), source) for word in often)


def _says_often(word: str, count: int, source: Source) -> bool:
    return sum([w for w, _ in polar_words(s.text)].count(word) for s in source.statements) >= count


# ---------------------------------------------------------------- products


def _check_product(text: str, source: Source) -> tuple[Finding | None, tuple[Statement, ...]]:
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
    if any(option in body for s in statements if s.field in _EXACT_FIELDS for option in _options_of(s)):
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
    return unit in MEASURES and len(fields - {"description"}) == 1


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


def _is_named(statement: Statement, said: set[str]) -> bool:
    if statement.field == "description":
        return len(said & meaning(statement.text)) >= _DESCRIPTION_WORDS
    return bool(said & statement_anchors(statement))


def _is_told(statement: Statement, said: set[str]) -> bool:
    """Whether one of the values that a statement lists is in the sentence with all its words; of a "no" its label."""
    if _is_denial(statement) and not _label(statement.field) & said:
        return False
    items = (meaning(item) for item in re.split(r", | and |; ", statement.value))
    return any(item and item <= said and item - FRAMING for item in items)


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
    told = polar_words(statement.text) if statement.value else _polarities_of(statement.text)
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


# ---------------------------------------------------------------- policies and orders


@dataclass(frozen=True)
class _Rule:
    """A part of a section that can be told by itself: a statement, half of one, one cell of a table's row.

    `before` are words that its "it" and "them" may stand for, `optional` what a retelling may leave out of a list.
    """

    text: str
    statement: Statement
    before: frozenset[Polar]
    optional: tuple[frozenset[str], ...] = ()


def _check_policy(
    text: str, source: Source, lexicon: Lexicon, previous: Check | None
) -> tuple[Finding | None, tuple[Statement, ...]]:
    """A retold rule rests on few statements of the section, and keeps their figures and conditions."""
    if _names_another(text, source, lexicon):
        return Finding.OTHER_PRODUCT, ()
    text = _without_own_id(text, source)
    heading = roots_of(source.title)
    earlier = _earlier_words(text, source, previous) | heading
    rules = list(_rules_of(source))
    used = _cover(text, rules, heading)
    accounting = [chosen for chosen in (used[:1], used) if _accounts_for(text, chosen, heading)]
    for chosen in accounting:
        if (loss := _loss(text, chosen, earlier)) is None:
            return None, tuple(dict.fromkeys(rule.statement for rule in chosen))
    if accounting:
        return loss, ()
    held = {quantity for rule in rules for quantity in quantities(rule.text)}
    around = {word for rule in rules for word in meaning(rule.text)} | heading
    if not all(holds(said, held) for said in quantities(text)):
        return Finding.NUMBER, ()
    return (Finding.POLARITY if meaning(text) - RETELLING <= around else Finding.WORDS), ()


def _earlier_words(text: str, source: Source, previous: Check | None) -> set[str]:
    """What "it" may stand for: words of the sentence before, if it was of the same record."""
    if previous is None or previous.source != source or not _BACKWARD & set(words(text)):
        return set()
    return {word for s in previous.statements for word in meaning(s.text)}


def _rules_of(source: Source) -> Iterator[_Rule]:
    before: frozenset[Polar] = frozenset()
    for statement in source.statements:
        whole = _without_own_id(spelt_out(statement.text), source)
        shorter = [_PARENTHESIS.sub("", whole), *_cells(statement), *_told_alone(whole)]
        shorter += [_OF_DATE.sub("", whole), *whole.split("; ")] if source.kind == "order" else []
        for text in dict.fromkeys([whole, *shorter]):
            yield _Rule(text, statement, before if _points_back(text) else frozenset(), tuple(_optional_items(text)))
        for sentence in _sentences_of(whole):
            yield _Rule(sentence, statement, before if _points_back(sentence) else frozenset())
            before = frozenset(_polarities_of(sentence))
        before = frozenset(_polarities_of(whole))


def _told_alone(text: str) -> Iterator[str]:
    """What stands by itself: halves with a subject of their own, a rule without its reason, with one of its cases."""
    if _IS_CONDITIONAL.match(text) is None:
        yield from (half for half in _HALVES.split(text) if half != text and len(half.split()) > 3)
    if (reason := _REASON.search(text)) is not None:
        yield text[: reason.start()] + "."
    if (cases := _CASES.search(text)) is not None:
        start, first, second = cases.groups()
        yield from (f"{text[: cases.start()]}{start} {case.strip()}." for case in (first, second))


def _without_own_id(text: str, source: Source) -> str:
    return text.replace(source.id, " ") if source.kind == "order" else text


def _points_back(text: str) -> bool:
    return bool(_BACKWARD & set(words(text)))


def _sentences_of(text: str) -> list[str]:
    """The sentences of a step or list line that has several, each with what the line is about."""
    parts = re.split(r"(?<=\.)\s+(?=[A-Z])", text)
    lead, colon, _ = text.partition(": ")
    is_led = bool(colon) and len(lead.split()) <= 3
    return [part if not place or not is_led else f"{lead}: {part}" for place, part in enumerate(parts)][
        : len(parts) if len(parts) > 1 else 0
    ]


def _cells(statement: Statement) -> list[str]:
    """A row's cells, each with what the row is about: "EU 42: foot length (cm) 25.9 to 26.5 cm"."""
    lead, colon, rest = statement.text.rstrip(".").partition(": ")
    if statement.field != "row" or not colon:
        return []
    return [f"{lead}: {_PARENTHESIS.sub('', cell)}" for cell in re.split(r",\s(?=[a-z])", rest)]


def _optional_items(text: str) -> Iterator[frozenset[str]]:
    """The middle items of an enumeration, and its last; none where all of them together are a condition."""
    if is_negated(text):  # "we do not ship or deliver" denies each of them
        for pair in re.findall(r"(\w+) or (\w+)", text):
            yield from (frozenset(meaning(word)) for word in pair if meaning(word))
    if re.search(r"\b(?:must|if|unless|until)\b", text) or text.count(", ") < 2:
        return
    for item in re.findall(
        r"(?<=, )(?:and |or )?([^,;.]{2,40}?)(?=,|\.$| and | or )|(?<= and )([^,;.]{2,40})(?=\.$)", text
    ):
        if words_of_item := frozenset(meaning(item[0] or item[1])):
            yield words_of_item


def _cover(text: str, rules: Sequence[_Rule], heading: frozenset[str]) -> list[_Rule]:
    """The rules that tell the most of a sentence, each of what the others leave open: figures first, then words."""
    left_words, left_figures = meaning(text) - RETELLING - heading, {number for number, _ in quantities(text)}
    said = set(left_figures)
    chosen: list[_Rule] = []
    while len(chosen) < _MOST_RULES and (left_words or left_figures):
        ranked = [(_covered(rule, left_words, left_figures, said), -_unsaid(rule, text), -len(rule.text), n)
                  for n, rule in enumerate(rules)]  # fmt: skip
        best = max(ranked, default=(0, 0, 0, 0))
        if best[0] <= 0:
            break
        rule = rules[best[3]]
        chosen.append(rule)
        left_words -= meaning(rule.text) | {word for word, _ in rule.before}
        left_figures -= {number for number, _ in quantities(rule.text)}
    return chosen


def _covered(rule: _Rule, left_words: set[str], left_figures: set[str], said: set[str]) -> int:
    figures = {number for number, _ in quantities(rule.text)}
    return 3 * len(left_figures & figures) + len(left_words & meaning(rule.text)) - 4 * len(figures - said)


def _unsaid(rule: _Rule, text: str) -> int:
    return len(meaning(rule.text) - meaning(text))


def _accounts_for(text: str, rules: Sequence[_Rule], heading: frozenset[str]) -> bool:
    known = {polar for rule in rules for polar in (*_polarities_of(rule.text), *rule.before)}
    held = {word for word, _ in known}
    free = heading
    is_step = any(rule.statement.field == "step" for rule in rules)
    for clause in clauses(text, joins_lists=True):
        polars = polar_words(clause)
        if is_negated(clause) and not any((word, True) in known for word, _ in polars):
            return False
        for word, negated in polars:
            if (word, negated) in known or (word in free and word not in held):
                continue
            if is_negated(clause) and (word, True) in known:  # "the buyer is not told" is "we do not tell the buyer"
                continue
            if word in RETELLING or (word in _ORDER and is_step):
                continue
            if not (is_negated(clause) and word in free):
                return False
    return True


def _polarities_of(text: str) -> Iterator[Polar]:
    """Words as they are denied, and, in a clause with a denial, as if all of it were: "earn no points", "don't earn"."""
    for clause in clauses(text, joins_lists=True):
        for word, negated in polar_words(clause):
            yield word, negated
            if is_negated(clause):
                yield word, True


def _loss(text: str, rules: Sequence[_Rule], earlier: set[str]) -> Finding | None:
    """What the retelling of the rules adds in figures or leaves out."""
    held = {quantity for rule in rules for quantity in quantities(rule.text)}
    figures, said = quantities(text), meaning(text)
    if not all(holds(figure, held) for figure in figures):
        return Finding.NUMBER
    if not {number for number, _ in held} <= {number for number, _ in figures}:
        return Finding.NUMBER
    spoken = roots_of(text)
    for rule in rules:  # every word: "a rush repair takes 5 days" must not become "a repair takes 5 days"
        left_out = {word for item in rule.optional if not item & said for word in item}
        if not CONDITIONS & roots_of(rule.text) <= spoken or (is_negated(rule.text) and not is_negated(text)):
            return Finding.CONDITION
        if not meaning(rule.text) - left_out - RETELLING - earlier <= said:
            return Finding.CONDITION
    return None
