"""What a message asks of a product's record: which of its fields, or something that it does not say."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graph.asking import ASKING_WORDS
from graph.lexicon import Lexicon
from shopbot.cards import Asked, told_text
from shopbot.claims import options_named
from shopbot.embedding import Embedder, Vectors
from shopbot.intents import FIELD, STAND_IN, UNKNOWN, Intents, Scores
from shopbot.language import STOPWORDS, content_stems, numbers, stem, words
from shopbot.measures import UNITS
from shopbot.references import field_name
from shopbot.statements import LIVE_FIELDS, SPOKEN, Source, Statement

_GENERIC_FIELDS = ("description", "price", "stock")
_MOST_FIELDS = 3
_MOST_UNANSWERED = 3
MOST_CLAUSES = 12
_SAME_AGAIN = frozenset("same question thing again it".split())
# What a product's name is said with: "the boots, sorry", "I meant the Ridge".
_SAID_WITH = frozenset("sorry oops please meant mean".split())
# Stopwords of which a question may consist: "how much is it?", "for him or for her?", "do you have it?", "is it there?"
_ASKING_STOPWORDS = frozenset("much many most when where who whose him her out have got get here there".split())
FACT_WORDS = frozenset(
    stem(word) for field in ("price", "stock", "sizes", "colors", "weight") for word in words(SPOKEN[field])
)
_CLAUSE = re.compile(r"(?<=\w)[?.!;,]+\s+|\s[-–—]+\s|\s(?:and|plus|also|&|\+)\s", re.IGNORECASE)
_RANGE = re.compile(r"(\d+(?:\.\d+)?) to (\d+(?:\.\d+)?)")

# A field's score is the classifier's, plus WORD_BONUS for each word of the message that stands in its value, plus
# LINE_SHARE of the cosine with its line. A field without example questions scores NAMED where the message names it,
# SPOKEN_OF where it uses a word that customers have for it.
WORD_BONUS = 0.14
MOST_WORDS = 3
LINE_SHARE = 0.2
NAMED, SPOKEN_OF = 0.8, 0.4
# What is chosen: of a message of one clause its best field, and a second one from SECOND on, if it is at least half as
# good. Of several clauses each has its best field from CLAUSE on; the whole message two from SECOND on. The record is
# silent where "unknown" or a field that it lacks scores better, which a word that stands in no record makes likelier,
# and a word for a field that it has makes less likely.
# Chosen on the development cases (docs/results/reading.md).
SECOND, SECOND_SHARE = 0.15, 0.5
CLAUSE = 0.2
SILENT_CLAUSE = 0.25
TERSE_WORDS = 3
_QUESTION_WORDS = frozenset(
    "what whats which who how when where why is are was do does did can could will would has have any got".split()
)
UNKNOWN_BONUS = 0.1
ABSENT_MARGIN = 0.05
STRANGE_WORD_BONUS = 0.2
FIELD_WORD_MALUS = 0.15


@dataclass(frozen=True)
class Utterance:
    """A message with its product names replaced, and what the classifier says of it.

    `parts` begins with the whole; behind it are the clauses, where it has several and they were read. `strange` are
    those with a word that stands in no record. `vectors` (n, dimension) and `meant` are of the parts.
    """

    parts: tuple[str, ...]
    strange: tuple[bool, ...]
    vectors: Vectors
    meant: Scores

    @property
    def text(self) -> str:
        return self.parts[0]

    @property
    def vector(self) -> Vectors:
        """Of the whole, (dimension,)."""
        whole: Vectors = self.vectors[0]
        return whole


@dataclass(frozen=True)
class Reading:
    """What a message asks of one record: the statements that answer it, other lines that may, and words left over."""

    statements: tuple[Statement, ...]
    lines: tuple[Statement, ...] = ()
    unanswered: tuple[str, ...] = ()

    @property
    def asked(self) -> Asked:
        """The same as a tuned model's card has it: names of fields, the words, and the lines."""
        fields = tuple(dict.fromkeys(field_name(statement.field) for statement in self.statements))
        return Asked(fields, self.unanswered, self.lines)


def read_utterance(text: str, lexicon: Lexicon, intents: Intents, embedder: Embedder) -> Utterance:
    """Read a message as a whole, which tells what it is about."""
    return _read([_without_repetition(lexicon.about_it(text))], lexicon, intents, embedder)


def by_clause(utterance: Utterance, lexicon: Lexicon, intents: Intents, embedder: Embedder) -> Utterance:
    """Read its clauses, too: what is asked of a record may be several things."""
    clauses = clauses_of(utterance.text)
    if len(clauses) < 2:
        return utterance
    return _read([utterance.text, *clauses[:MOST_CLAUSES]], lexicon, intents, embedder)


def _read(parts: Sequence[str], lexicon: Lexicon, intents: Intents, embedder: Embedder) -> Utterance:
    vectors = embedder.embed(parts)
    strange = tuple(bool(lexicon.unknown_words(part)) for part in parts)
    return Utterance(tuple(parts), strange, vectors, intents.read(parts, vectors))


def _without_repetition(text: str) -> str:
    """A message whose clauses repeat, said once: a hundred times "please" would be all that the vector says."""
    clauses = clauses_of(text)
    said_once = list(dict.fromkeys(clauses))
    return text if len(said_once) == len(clauses) else ". ".join(said_once)


def clauses_of(text: str) -> list[str]:
    return [clause for part in _CLAUSE.split(text) if words(clause := part.strip(" ?.!,"))]


def read_question(
    question: str, utterance: Utterance, sources: Sequence[Source], embedder: Embedder
) -> dict[int, Reading]:
    """What the question asks of each record, by number."""
    return {
        source.number: requested(_without_others(question, sources, source), utterance, source, embedder)
        for source in sources
    }


def _without_others(question: str, sources: Sequence[Source], source: Source) -> str:
    """The question without the titles of the other products in it: the Ember Stove asks for nothing in Ember."""
    others = {word for other in sources if other.id != source.id for word in words(other.title)}
    return " ".join(word for word in question.split() if not set(words(word)) & others)


def requested(question: str, utterance: Utterance, source: Source, embedder: Embedder) -> Reading:
    """What a message asks of a record; `question` is the same with the names as the customer typed them.

    A message that names the product and nothing else gets its description, price and stock; so does one that the
    record does not answer and that has no word to say so with.
    """
    scores = _FieldScores.of(utterance, source, embedder)
    options = options_asked(question, source)
    chosen, silent = scores.chosen()
    if options:
        chosen, silent = [name for name in chosen if name not in ("sizes", "colors")], []
        chosen = chosen if "price" in chosen or "stock" in chosen else ["stock", *chosen]
    elif says_nothing(utterance.text):
        chosen, silent = [], []
    unanswered = [word for place in silent for word in wanted_words(utterance.parts[place])]
    if not chosen and not unanswered:
        return Reading(_unique(source.of(*_GENERIC_FIELDS)))
    statements = [line for name in chosen[:_MOST_FIELDS] for line in _told(name, options, source)]
    lines = tuple(line for line in scores.lines if line not in statements)
    return Reading(_unique(statements), lines, tuple(dict.fromkeys(unanswered))[:_MOST_UNANSWERED])


def says_nothing(text: str) -> bool:
    """Whether a message asks nothing by itself: "and the Ridge?", "same question for it"."""
    return all(word in STOPWORDS - _ASKING_STOPWORDS or word in _SAME_AGAIN | _SAID_WITH for word in words(text))


def asks_the_same(text: str) -> bool:
    """Whether a clause of a message asks again what was asked before: "too cold. same question for the Ridge"."""
    return any("same" in words(clause) and says_nothing(clause) for clause in clauses_of(text))


def wanted_words(text: str) -> list[str]:
    """The words of a message that say what it is about, as typed."""
    return [w for w in words(text) if w != STAND_IN and w not in UNITS and set(content_stems(w)) - ASKING_WORDS]


@dataclass(frozen=True)
class _FieldScores:
    """How well each field of a record fits each part of a message, (parts, fields), and how well what it lacks does."""

    names: list[str]
    values: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    missing: list[float]
    parts: tuple[str, ...]
    lines: list[Statement]
    """Lines that can be told as text, best first: one of each field, and the sentences of the description."""

    @classmethod
    def of(cls, utterance: Utterance, source: Source, embedder: Embedder) -> "_FieldScores":
        by_name: dict[str, list[Statement]] = {}
        for statement in source.statements:
            by_name.setdefault(field_name(statement.field), []).append(statement)
        by_name.pop("category", None)
        description = by_name.pop("description", [])
        groups = [*by_name.values(), *([sentence] for sentence in description)]
        parts = range(len(utterance.parts))
        held = [_held(group) for group in groups]
        values = np.asarray([_said(utterance, part, groups, held) for part in parts], np.float32)
        cosines = utterance.vectors @ embedder.embed([told_text(group[0]) for group in groups]).T
        is_live = np.asarray([group[0].field in LIVE_FIELDS for group in groups])
        values += LINE_SHARE * np.where(is_live, cosines.mean(), cosines)  # the line of a price says no more than it
        best = np.argsort(-values.max(axis=0), kind="stable")
        lines = [groups[place][0] for place in best if groups[place][0].value or place >= len(by_name)]
        missing = [_missing(utterance.meant, part, by_name) + _doubt(utterance, part, groups) for part in parts]
        return cls(list(by_name), values[:, : len(by_name)], missing, utterance.parts, lines)

    def _asks(self, part: int) -> bool:
        """Whether a clause surely asks for what is missing: "flying to Auckland on Friday" asks for nothing."""
        said = words(self.parts[part])
        asks = len(said) <= TERSE_WORDS or not _QUESTION_WORDS.isdisjoint(said)
        return asks and self.missing[part] >= SILENT_CLAUSE

    def chosen(self) -> tuple[list[str], list[int]]:
        """Names of the fields asked for, best first, and the parts that ask for what the record does not say."""
        found: dict[str, float] = {}
        silent = []
        is_single = len(self.values) == 1
        for part, scores in enumerate(self.values):
            best, second = np.argsort(-scores, kind="stable")[:2] if len(scores) > 1 else (0, 0)
            is_whole = part == 0 and not is_single
            is_missing = self.missing[part] > scores[best]
            if not is_whole and is_missing and (is_single or self._asks(part)):
                silent.append(part)
            if is_missing and not is_whole:
                continue
            least = 0.0 if is_single else SECOND if is_whole else CLAUSE
            if scores[best] < least:
                continue
            found[self.names[best]] = max(found.get(self.names[best], 0.0), float(scores[best]))
            if scores[second] >= max(SECOND, 0.0 if is_whole else SECOND_SHARE * scores[best]):
                found[self.names[second]] = max(found.get(self.names[second], 0.0), float(scores[second]))
        return sorted(found, key=lambda name: -found[name]), silent


def _doubt(utterance: Utterance, part: int, groups: Sequence[Sequence[Statement]]) -> float:
    """How much the words of a part speak for a silent record; a word for a field speaks against it, whatever stands
    beside it: "what does the beast weigh?"."""
    said = set(content_stems(utterance.parts[part]))
    if any(said & group[0].anchors for group in groups):
        return -FIELD_WORD_MALUS
    return STRANGE_WORD_BONUS * utterance.strange[part]


def _held(statements: Sequence[Statement]) -> set[str]:
    """The stems of a field's lines; of live facts none, whose words stand in every question."""
    if statements[0].field in LIVE_FIELDS:
        return set()
    return {stemmed for line in statements for stemmed in content_stems(told_text(line))} - ASKING_WORDS


def _said(
    utterance: Utterance, part: int, groups: Sequence[Sequence[Statement]], held: Sequence[set[str]]
) -> list[float]:
    """The score of each field without its line's cosine."""
    text = utterance.parts[part]
    said, every = set(content_stems(text)), {stem(word) for word in words(text)}
    return [
        _asked_for(group[0], utterance.meant, part, every) + WORD_BONUS * min(MOST_WORDS, len(said & stems))
        for group, stems in zip(groups, held, strict=True)
    ]


def _asked_for(statement: Statement, meant: Scores, part: int, every: set[str]) -> float:
    """The classifier's score of a field; of one without examples, whether its name or words for it are said."""
    name = field_name(statement.field)
    if FIELD + name in meant.labels:
        return meant.of(FIELD + name, part)
    named = set(content_stems(name.replace("_", " ")))
    return NAMED if named and named <= every else SPOKEN_OF if every & statement.anchors else 0.0


def _missing(meant: Scores, part: int, by_name: Mapping[str, object]) -> float:
    """How much a part asks for something that no record says, or for a field that this one does not have."""
    absent = [
        meant.of(label, part)
        for label in meant.labels
        if label.startswith(FIELD) and label[len(FIELD) :] not in by_name
    ]
    return max(meant.of(UNKNOWN, part) + UNKNOWN_BONUS, max(absent, default=0.0) - ABSENT_MARGIN)


def _told(name: str, options: Sequence[str], source: Source) -> list[Statement]:
    """The statements of a field; of stock and price those that speak of the options asked for."""
    statements = [line for line in source.statements if field_name(line.field) == name]
    return _speaking_of(options, statements) if options and name in LIVE_FIELDS else statements


def options_asked(question: str, source: Source) -> tuple[str, ...]:
    """Sizes and colours of a product that a question names, sizes first, as the record writes them."""
    if source.product is None:
        return ()
    title = set(content_stems(source.title))
    # Without the words of the title: "Teal" in "the Teal mat" is no colour.
    asked = " ".join(word for word in question.split() if not set(content_stems(word)) & title)
    variants = source.product.variants
    named = options_named(_with_sizes_written(asked), source.product)
    said = words(asked)
    colors = named.colors | {v.color for v in variants if v.color and words(v.color)[-1] in said}
    in_order = dict.fromkeys([*(v.size for v in variants), *(v.color for v in variants)])
    return tuple(option for option in in_order if option and option in named.sizes | colors)


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


def _speaking_of(options: Sequence[str], statements: Sequence[Statement]) -> list[Statement]:
    """The statements that speak of the most of the options; of prices the general one where none does."""
    scored = [(sum(_speaks_of(statement.text, option) for option in options), statement) for statement in statements]
    best = max((score for score, _ in scored), default=0)
    if best == 0 and statements and statements[0].field == "price":
        return [statements[0]]
    return [statement for score, statement in scored if score == best]


def _speaks_of(text: str, option: str) -> bool:
    return re.search(rf"(?<![\w/]){re.escape(option)}(?![\w/])", text) is not None


def fitting_rows(question: str, statements: Sequence[Statement]) -> list[Statement]:
    """Table rows with a range that a number of the question lies in: "chest of 105 cm" -> "103 to 110 cm"."""
    asked = [float(number) for number in numbers(question) if number.replace(".", "", 1).isdigit()]
    return [
        statement
        for statement in statements
        if statement.field == "row"
        and any(float(low) <= number <= float(high) for number in asked for low, high in _RANGE.findall(statement.text))
    ]


def _unique(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    return tuple(dict.fromkeys(statements))
