"""From a question to the points that its answer has to make: which records, and which of their statements."""

import re
from collections.abc import Sequence

from graph.asking import ASKING
from graph.asks import FACT_WORDS, Utterance, asks_the_same, fitting_rows, read_question, says_nothing
from graph.deps import Turn
from graph.findings import Findings, product_sources, quoted
from graph.follow_ups import points_at_one, read
from graph.lexicon import MOST_ALTERNATIVES
from graph.routing import asks_for_a_field
from graph.selection import Selection, select, which_one, within_said
from graph.state import Lead, Point
from graph.turn import Message
from graph.wishes import Wish
from shopbot.embedding import Vectors
from shopbot.intents import FIELD
from shopbot.language import content_stems, stem, words
from shopbot.search import search_products
from shopbot.sections import answering_lines
from shopbot.statements import Source, Statement, policy_source
from shopbot.types import Hit

# Below this cosine the nearest policy section is about something else, and the answer is "I don't know". Of 45
# questions that a section of the sample shop answers, the farthest was at 0.48; set by hand below it.
POLICY_COSINE_FLOOR = 0.45
# Below this cosine the nearest products are not worth showing even as "the closest".
PRODUCT_COSINE_FLOOR = 0.3
SUGGESTIONS = 3
# What is shown as the closest to a thing that the shop does not have is at least this near, or shares its kind.
CLOSE_COSINE = 0.4
STATEMENTS_IN_A_COMPARISON = 2
_ASKS_FOR_A_THING = re.compile(
    r"\b(do|did) (you|u|ya) (guys )?(sell|have|carry|stock)\b|\bgot any\b"
    r"|\b(looking|searching) for\b|\bi (need|want) an?\b",
    re.IGNORECASE,
)
# Where the thing that is asked for ends: "kayaks for two", "a tent under $200".
_END_OF_THING = re.compile(r"\b(?:for|with|in|that|which|to|under|below|at|from|on|or|and)\b|[,.?!;:]", re.IGNORECASE)
# A question of at most this many words can be the rest of an earlier one.
BRIEF_WORDS = 7
CANDIDATES = 50
# Fields that can be asked of a whole kind: a list says what each costs.
_OF_SEVERAL = frozenset({f"{FIELD}price", f"{FIELD}stock"})
_POINTING = frozenset(["it", "its", "it's", "this", "that", "they", "them", "these", "those", "one", "ones", "there"])


def focus_of(question: str, utterance: Utterance, history: Sequence[Message], turn: Turn) -> list[list[str]]:
    """Products that the question is about, as lists of alternatives; one that goes on takes the product last named."""
    earlier = next((found for message in reversed(history) if (found := _named_in(message, turn))), [])
    goes_on = points_back(question) or is_brief(question) or asks_for_a_field(utterance.meant)
    if not earlier:
        return turn.lexicon.mentions(question)
    named = turn.lexicon.mentions(_without_options(question, earlier[0][0], turn))
    shown = turn.lexicon.titles_in(next((m.content for m in reversed(history) if m.role == "assistant"), ""))
    return [_just_shown(ids, shown) for ids in named] or ([earlier[0][:1]] if goes_on else [])


def _named_in(message: Message, turn: Turn) -> list[list[str]]:
    """Products that a message names. Answers write whole titles; in one about an order Merlin is the carrier."""
    if message.role == "assistant":
        return [[product_id] for product_id in turn.lexicon.titles_in(message.content)]
    return turn.lexicon.mentions(message.content)


def _just_shown(alternatives: list[str], shown: Sequence[str]) -> list[str]:
    """Of namesakes the one that the last answer was about: "the Ember one" of the two lanterns that were compared."""
    found = [product_id for product_id in alternatives if product_id in shown]
    return found if len(found) == 1 and len(shown) <= MOST_ALTERNATIVES else alternatives


def _without_options(question: str, product_id: str, turn: Turn) -> str:
    """The question without the colours of the product that was talked about: "the 1 l in ember" names no Ember lamp."""
    colors = {word for v in turn.version.products[product_id].variants for word in words(v.color or "")}
    return " ".join(word for word in question.split() if not set(words(word)) & colors)


def is_brief(question: str) -> bool:
    """Whether a question is so short that it is likely to go on with what was talked about: "pockets?"."""
    return len(words(question)) <= BRIEF_WORDS and not _ASKS_FOR_A_THING.search(question)


def points_back(question: str) -> bool:
    """Whether a question only makes sense after an earlier one: "does it come in blue?", "and in XL?"."""
    said = words(question)
    return bool(_POINTING & set(said)) or said[:1] == ["and"] or not things_in(question)


def standalone(question: str, utterance: Utterance, history: Sequence[Message], has_focus: bool) -> str:
    """What a message asks, as far as it stands by itself: "and the Ridge?" asks what the message before it asked."""
    earlier = [message.content for message in history if message.role == "user"]
    if earlier and has_focus and (says_nothing(utterance.text) or asks_the_same(utterance.text)):
        return earlier[-1]
    return f"{earlier[-1]} {question}" if earlier and points_back(question) and not has_focus else question


def things_in(question: str) -> list[str]:
    """Stems of the words that say what a question is about, not only that it asks."""
    return [word for word in content_stems(question) if word not in ASKING]


def asks_of_nothing(question: str) -> bool:
    """Whether a question asks for a fact and names nothing that could have it: "is it in stock?", "how much?"."""
    return not things_in(question) and bool({stem(word) for word in words(question)} & FACT_WORDS)


def find_products(
    question: str, utterance: Utterance, focus: Sequence[Sequence[str]], turn: Turn, wish: Wish | None = None
) -> Findings:
    """What there is to say of the products that a question names, or that it asks for."""
    if wish and wish.kind and wish.is_closed:
        is_of_one = not wish.is_selective and utterance.meant.best_label(FIELD) not in _OF_SEVERAL
        if is_of_one and asks_for_a_field(utterance.meant):
            return which_one(wish.kind, turn)
        return select(wish, wish.kind, turn)
    if any(len(alternatives) > 1 for alternatives in focus):
        several = [product_id for alternatives in focus for product_id in alternatives]
        return Findings(_suggest(several[:MOST_ALTERNATIVES], turn), [Lead(turn.phrase("which_one"))], as_list=True)
    if focus:
        return _about([alternatives[0] for alternatives in focus], question, utterance, turn)
    return _suggestions(question, utterance, wish, turn)


def _about(product_ids: Sequence[str], question: str, utterance: Utterance, turn: Turn) -> Findings:
    points: list[Point] = []
    lead: list[Lead] = []
    sources = product_sources(product_ids, turn)
    readings = read_question(question, turn.read_clauses(utterance), sources, turn.deps.embedder)
    for source in sources:
        reading = readings[source.number]
        most = len(reading.statements) if len(product_ids) == 1 else STATEMENTS_IN_A_COMPARISON
        points += [Point(source, statement) for statement in reading.statements[:most]]
        if reading.unanswered:
            text = turn.phrase("unknown_attribute", product=source.title, words=quoted(reading.unanswered))
            lead.append(Lead(text, tuple(stem(word) for word in reading.unanswered), source.id))
    asked = {number: reading.asked for number, reading in readings.items()}
    return Findings(points, lead, sources, asked, as_list=len(product_ids) > 1)


def _suggestions(question: str, utterance: Utterance, wish: Wish | None, turn: Turn) -> Findings:
    names_none = asks_for_a_field(utterance.meant) and _thing_asked_for(question) is None
    if asks_of_nothing(question) or names_none or points_at_one(question, read(question, turn).kind):
        return Findings(lead=[Lead(turn.phrase("which_product"))])
    fitting = _within(wish, turn)
    hits = search_products(turn.version, turn.deps.embedder, question, CANDIDATES, turn.deps.weights, within=fitting)
    near = [hit.id for hit in hits if hit.cosine is None or hit.cosine >= PRODUCT_COSINE_FLOOR][:SUGGESTIONS]
    unknown = turn.lexicon.unknown_words(question) or _not_in_titles(question, near, turn)
    if unknown:
        cosines = {hit.id: hit.cosine or 0.0 for hit in hits}
        near = [key for key in near if cosines[key] >= CLOSE_COSINE or _shares_a_word(things_in(question), key, turn)]
    lead: list[Lead] = []
    if unknown:
        about = tuple(stem(word) for word in unknown)
        lead = [Lead(turn.phrase("unknown_product", words=quoted(unknown)), about)]
    if not near and wish and wish.limits and not unknown:
        return Findings(lead=[Lead(turn.phrase("none_within", within=within_said(wish.limits), where="like that"))])
    if not near:
        return Findings(lead=lead or [Lead(turn.phrase("unclear"))])
    within = within_said(wish.limits) if wish and wish.limits and not unknown else ""
    found = turn.phrase("found_within", within=within) if within else turn.phrase("closest" if unknown else "found")
    lead.append(Lead(found))
    return Findings(_suggest(near, turn), lead, as_list=True)


def _within(wish: Wish | None, turn: Turn) -> list[str] | None:
    """The products that keep within the limits that were set, by live facts; None where none were set."""
    if wish is None or not wish.limits:
        return None
    ids = wish.kind.product_ids if wish.kind else turn.version.products
    return Selection.of(wish.limits, ids, turn).within


def _not_in_titles(question: str, product_ids: Sequence[str], turn: Turn) -> list[str]:
    """The thing asked for, where it is the kind of none of what was found: "do you sell inflatable canoes?"."""
    thing = _thing_asked_for(question)
    if thing is None or any(_shares_a_word([thing], product_id, turn) for product_id in product_ids):
        return []
    return [word for word in words(question) if content_stems(word) == [thing]][:1] or [thing]


def _thing_asked_for(question: str) -> str | None:
    """The stem of the noun that a question asks for, its last word before a preposition or a comma."""
    asks = _ASKS_FOR_A_THING.search(question)
    if asks is None and len(words(question)) > 2:
        return None
    phrase = _END_OF_THING.split(question[asks.end() :] if asks else question)[0]
    named = [word for word in things_in(phrase) if not word[0].isdigit()]
    return named[-1] if named else None


def _shares_a_word(wanted: Sequence[str], product_id: str, turn: Turn) -> bool:
    """Whether a product's title or category has one of the words: it is the kind of thing that is asked for."""
    product = turn.version.products[product_id]
    return not set(wanted).isdisjoint(content_stems(f"{product.title} {product.category}"))


def _suggest(product_ids: Sequence[str], turn: Turn) -> list[Point]:
    """One point a product: its price, which names it."""
    return [Point(source, source.of("price")[0]) for source in product_sources(product_ids, turn)]


def find_policies(question: str, sections: Sequence[Hit], vector: Vectors, turn: Turn) -> Findings:
    if not sections or (sections[0].cosine or 0.0) < POLICY_COSINE_FLOOR:
        return Findings(lead=[Lead(turn.phrase("unknown_policy"))])
    return Findings(section_points(sections[0].id, question, vector, turn))


def section_points(section_id: str, question: str, vector: Vectors, turn: Turn) -> list[Point]:
    """What a policy section has to say to a question, point by point."""
    source = policy_source(1, turn.version.policies[section_id])
    return [Point(source, statement) for statement in _relevant(question, source, vector, turn)]


def _relevant(question: str, source: Source, vector: Vectors, turn: Turn) -> list[Statement]:
    """Of a table the rows that fit the question's number, else the lines that answer it."""
    if rows := fitting_rows(question, source.statements):
        return rows
    cosines = turn.deps.embedder.embed([statement.text for statement in source.statements]) @ vector
    return answering_lines(source.statements, cosines)
