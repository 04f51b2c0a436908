"""Which statements of a record a question asks for."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graph.lexicon import ASKING_WORDS, nearest_word
from shopbot.cards import Asked
from shopbot.claims import options_named
from shopbot.language import STOPWORDS, content_stems, numbers, stem, words
from shopbot.references import field_name
from shopbot.statements import SPOKEN, Source, Statement

COLORS = frozenset("black white red blue green yellow orange purple pink brown grey gray navy teal beige olive".split())
_GENERIC_FIELDS = ("description", "price", "stock")
_SPOKEN_WORDS = sorted({word for spoken in SPOKEN.values() for word in words(spoken)})
# Fields that a bare word of theirs would claim too often; they answer only when nothing more exact does.
_WEAK = frozenset({"description", "features", "best for", "category", "season", "gender", "people"})
_MOST_FIELDS = 3
FACT_WORDS = frozenset(
    stem(word) for field in ("price", "stock", "sizes", "colors", "weight") for word in words(SPOKEN[field])
)
# Words that surely ask for a live fact, whatever else the question names.
_CERTAIN = {
    "price": {stem(word) for word in words(SPOKEN["price"])},
    "stock": {stem(word) for word in words("stock available availability left sold unavailable remaining")},
}
_TYPO_RATIO = 80  # one wrong letter in five; these few words mean nothing else, so it may be looser than for names
_OTHER_RATING = re.compile(r"(\w+) (?:rating|rated)\b")
_LETTER_SIZES = re.compile(r"\b(?:x{1,3}[sl]|lengths?)\b")
_PRICE_PHRASE = re.compile(r"\b(how much|go(es)? for|set (me|us) back|dough|bucks)\b")
_RANGE = re.compile(r"(\d+(?:\.\d+)?) to (\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Reading:
    """What a question asks of one record: the statements that answer it, and the words that none of them covers."""

    statements: tuple[Statement, ...]
    unanswered: tuple[str, ...]

    def asked(self, question: str) -> Asked:
        """The same as a tuned model's card has it: names of fields, and words as the customer typed them."""
        fields = tuple(dict.fromkeys(field_name(statement.field) for statement in self.statements))
        return Asked(fields, tuple(unanswered_words(question, self.unanswered)))


def read_question(question: str, sources: Sequence[Source], unknown: Sequence[str]) -> dict[int, Reading]:
    """What the question asks of each record, by number; `unknown` are its words that stand in no record at all."""
    readings = {}
    for source in sources:
        statements, unanswered = requested(_without_others(question, sources, source), source, unknown)
        readings[source.number] = Reading(tuple(statements), tuple(unanswered))
    return readings


def _without_others(question: str, sources: Sequence[Source], source: Source) -> str:
    """The question without the names of the other products in it, so that they do not count as unanswered words."""
    others = {word for other in sources if other.id != source.id for word in words(other.title)}
    return " ".join(word for word in question.split() if not set(words(word)) & others)


def unanswered_words(question: str, stems_wanted: Sequence[str]) -> list[str]:
    """The customer's own words behind the stems, so that the reply can repeat them."""
    by_stem = {content[0]: word for word in words(question) if (content := content_stems(word))}
    return [by_stem.get(stemmed, stemmed) for stemmed in stems_wanted]


def requested(question: str, source: Source, unknown: Sequence[str] | None = None) -> tuple[list[Statement], list[str]]:
    """Return the statements that answer the question, and the content words that none of the record's own cover.

    An empty list with unanswered words means: the record does not say. A question that names the product and
    nothing else gets its description, price and stock. `unknown` are words that stand in no record at all: a
    question that has one is answered only if it also names a field.
    """
    title = set(content_stems(source.title))
    held = {stem(word) for statement in source.statements for word in words(statement.text)}
    asked = [_corrected(word, held, unknown) for word in words(question) if stem(word.removesuffix("'s")) not in title]
    said = {stem(word) for word in asked}
    own, spoken = _named_fields(" ".join(asked), said, source)
    if options := _options(" ".join(_without(title, question)), source):
        return _unique(_about_options(options, own or spoken, source)), []
    if unknown and not own:
        return [], [stem(word) for word in unknown]
    fields = list(dict.fromkeys(own + spoken))
    if strong := [field for field in fields if field not in _WEAK]:
        return _unique(source.of(*strong[:_MOST_FIELDS])), []
    wanted = _other_rating(" ".join(asked)) or [w for w in content_stems(" ".join(asked)) if w not in ASKING_WORDS]
    if matching := _matching(wanted, source):
        return matching, []
    if fields or not wanted:
        return _unique(source.of(*(fields[:_MOST_FIELDS] or _GENERIC_FIELDS))), []
    return [], wanted


def _other_rating(text: str) -> list[str]:
    """The stem of what is rated, where it is not what customers think of it: "UV rating"."""
    found = _OTHER_RATING.search(text)
    if not found or found[1] in STOPWORDS or stem(found[1]) in ASKING_WORDS:
        return []
    return [stem(found[1])]


def _corrected(word: str, held: set[str], unknown: Sequence[str] | None) -> str:
    """Read a misspelt word of asking as what it was meant to be: "availble", "prise"; "collar" is no "dollar"."""
    is_known = stem(word) in held or (unknown is not None and word not in unknown)
    if word in _SPOKEN_WORDS or is_known:
        return word
    return nearest_word(word, _SPOKEN_WORDS, _TYPO_RATIO) or word


def _without(title: set[str], question: str) -> list[str]:
    """The question's words as typed, without those of the title: "Teal" in "the Teal mat" is no colour."""
    return [word for word in question.split() if not set(content_stems(word)) & title]


def _named_fields(text: str, said: set[str], source: Source) -> tuple[list[str], list[str]]:
    """Fields of this record that the question names in their own words, and those it speaks of in others."""
    present = list(dict.fromkeys(statement.field for statement in source.statements))
    if _other_rating(text):
        present = [field for field in present if field != "rating"]
    own = [field for field in present if said & (_CERTAIN.get(field) or {stem(word) for word in words(field)})]
    spoken = [field for field in present if field not in own and said & source.of(field)[0].anchors]
    if _PRICE_PHRASE.search(text) and not {"weigh", "weight", "hold", "water"} & said and "price" in present:
        own.insert(0, "price")
    if any(word in COLORS for word in text.split()) and "colors" in present:
        own.append("colors")
    if _LETTER_SIZES.search(text) and "sizes" in present:
        own.append("sizes")
    return list(dict.fromkeys(own)), spoken


def _options(question: str, source: Source) -> frozenset[str]:
    """Sizes and colours of this product that the question names."""
    if source.product is None:
        return frozenset()
    named = options_named(_with_sizes_written(question), source.product)
    made = {size for variant in source.product.variants for size in (variant.size,) if size}
    asked = words(question)
    colors = {v.color for v in source.product.variants if v.color and words(v.color)[-1] in asked}
    return frozenset((named.sizes & made) | named.colors | colors)


def options_asked(question: str, source: Source) -> tuple[str, ...]:
    """Sizes and colours of a product that a question names, sizes first, as the record writes them."""
    named = _options(" ".join(_without(set(content_stems(source.title)), question)), source)
    variants = source.product.variants if source.product else ()
    in_order = dict.fromkeys([*(v.size for v in variants), *(v.color for v in variants)])
    return tuple(option for option in in_order if option in named)


def _with_sizes_written(question: str) -> str:
    """Write sizes as the catalog does where the question surely means one: "in m", "size xl", "EU 42", "medium"."""
    text = re.sub(r"\b(small|medium|large)\b", lambda match: match[1][0].upper(), question, flags=re.IGNORECASE)
    text = re.sub(r"\b(in|size|sizes|a|an)\s+(x{0,3}[sl]|m)\b", lambda match: f"{match[1]} {match[2].upper()}", text)
    text = re.sub(
        r"(\d)\s*(lit(?:re|er)s?|met(?:re|er)s?)\b",
        lambda match: f"{match[1]} {match[2][0].lower()}",
        text,
        flags=re.IGNORECASE,
    )
    return re.sub(r"\b(long|regular|wide)\b", lambda match: match[1].capitalize(), text, flags=re.IGNORECASE)


def _about_options(options: frozenset[str], fields: Sequence[str], source: Source) -> list[Statement]:
    """What is asked of these options: their price where the price is asked, their stock otherwise."""
    wanted = [field for field in fields if field in ("price", "stock")] or ["stock"]
    return [statement for field in wanted for statement in _speaking_of(options, source.of(field))]


def _speaking_of(options: frozenset[str], statements: Sequence[Statement]) -> list[Statement]:
    """The statements that speak of the most of the options; of prices the general one where none does."""
    scored = [(sum(_speaks_of(statement.text, option) for option in options), statement) for statement in statements]
    best = max((score for score, _ in scored), default=0)
    if best == 0 and statements and statements[0].field == "price":
        return [statements[0]]
    return [statement for score, statement in scored if score == best]


def _speaks_of(text: str, option: str) -> bool:
    return re.search(rf"(?<![\w/]){re.escape(option)}(?![\w/])", text) is not None


def _matching(wanted: Iterable[str], source: Source) -> list[Statement]:
    """Statements that hold the asked words themselves ("does it have a hood?"), best two."""
    scored = [(len(set(wanted) & set(content_stems(statement.text))), statement) for statement in source.statements]
    best = max((score for score, _ in scored), default=0)
    return [statement for score, statement in scored if score == best][:2] if best else []


def fitting_rows(question: str, statements: Sequence[Statement]) -> list[Statement]:
    """Table rows with a range that a number of the question lies in: "chest of 105 cm" -> "103 to 110 cm"."""
    asked = [float(number) for number in numbers(question) if number.replace(".", "", 1).isdigit()]
    return [
        statement
        for statement in statements
        if statement.field == "row"
        and any(float(low) <= number <= float(high) for number in asked for low, high in _RANGE.findall(statement.text))
    ]


def _unique(statements: Iterable[Statement]) -> list[Statement]:
    return list(dict.fromkeys(statements))
