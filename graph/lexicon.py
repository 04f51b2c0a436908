"""What the catalog's own words tell about a question: which products it names, and what the shop has no word for."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np

from graph.asking import ASKING, nearest_word
from graph.spelling import Speller
from graph.vocabulary import Vocabulary
from shopbot.intents import STAND_IN
from shopbot.language import STOPWORDS, content_stems, is_contraction, stem, words
from shopbot.statements import attribute_label
from shopbot.types import PolicySection, Product

# A title is named without its first word only when this share of its words, weighted by rarity, is in the text:
# "lash princess mascara" names "Essence Mascara Lash Princess", "trail runners" does not name "Stoat Trail Runners".
NAMED_COVERAGE = 0.7
NAMED_COVERAGE_WITH_FIRST_WORD = 0.5
# Up to this many products may share a first word that is still a name ("Everest"), not a kind of thing ("jacket").
NAME_WORD_PRODUCTS = 6
# A first word that stands in more records than this besides titles is everyday language ("long"), not a name.
NAME_WORD_RECORDS = 8
# Products that one question is taken to name at most.
MOST_NAMED = 3
# Alternatives that are worth asking back about.
MOST_ALTERNATIVES = NAME_WORD_PRODUCTS

_BEFORE_A_NAME = frozenset("the your a an this that these those".split())
# A name with what is attached to it: an opening before it, a possessive and punctuation behind it.
_NAME = re.compile(r"^([(\"']*).*?((?:['’]s)?[?.,!;:)\"']*)$")


def _runs(flags: Sequence[bool]) -> list[range]:
    """The longest runs of places that are true."""
    edges = np.flatnonzero(np.diff([False, *flags, False]))
    return [range(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _replaced(said: Sequence[str], names: Sequence[range]) -> str:
    """The words with STAND_IN for each name, its article and whatever else stands before it to point at it."""
    starts, inside = {run[0]: run for run in names}, {place for run in names for place in run}
    kept: list[str] = []
    for place, word in enumerate(said):
        if (run := starts.get(place)) is not None:
            if kept and kept[-1].lower() in _BEFORE_A_NAME:
                kept.pop()
            kept.append(_NAME.sub(rf"\1{STAND_IN}\2", " ".join(said[run[0] : run[-1] + 1])))
        elif place not in inside:
            kept.append(word)
    return " ".join(kept)


class Lexicon:
    """The words of one catalog version. Building it is linear in the catalog; looking up is not."""

    def __init__(self, products: Mapping[str, Product], policies: Mapping[str, PolicySection]) -> None:
        self._products = products
        self._policies = policies
        self._titles = {product.id: tuple(dict.fromkeys(content_stems(product.title))) for product in products.values()}
        self._by_word: dict[str, list[str]] = defaultdict(list)
        for product_id, title in self._titles.items():
            for word in title:
                self._by_word[word].append(product_id)

    @cached_property
    def _texts(self) -> list[str]:
        """Every text of the product records and policy sections."""
        texts: list[str] = []
        for product in self._products.values():
            texts += [product.title, product.description, product.category, product.brand]
            texts += [f"{attribute_label(key)[0]} {value}" for key, value in product.attributes.items()]
            texts += [f"{variant.size or ''} {variant.color or ''}" for variant in product.variants]
        return texts + [f"{section.heading} {section.text}" for section in self._policies.values()]

    @cached_property
    def _known(self) -> frozenset[str]:
        """Stems of every word in any product record or policy section."""
        return frozenset(stem(word) for text in self._texts for word in words(text))

    @cached_property
    def _speller(self) -> Speller:
        asked = (question for section in self._policies.values() for question in section.questions)
        return Speller(self._texts, asked)

    def spelt(self, text: str) -> str:
        """The text with its misspelt words corrected."""
        return self._speller.corrected(text)

    def _rarity(self, word: str) -> float:
        return math.log((1 + len(self._titles)) / (len(self._by_word.get(word, ())) + 0.5)) + 0.1

    def mentions(self, text: str) -> list[list[str]]:
        """Return the ids of the products that the text names: a list of alternatives for each thing named.

        More than one alternative means that the words fit several products equally well ("the Everest").
        """
        asked = Counter(self._corrected(content_stems(text)))
        if by_name := self._by_name(asked):
            return by_name
        found: list[list[str]] = []
        while len(found) < MOST_NAMED and (best := self._by_coverage(asked)):
            found.append(best)
            for product_id in best:
                asked -= Counter(self._titles[product_id])
        return found

    def by_name(self, text: str) -> list[list[str]]:
        """The same, but only products that are called by the first word of their title, their name."""
        return self._by_name(Counter(self._corrected(content_stems(text))))

    def titles_in(self, text: str) -> list[str]:
        """Ids of the products whose whole titles stand in a text, in its order; of a title in another the longer."""
        said = {stem(word) for word in words(text)}
        candidates = {key for word in said for key in self._by_word.get(word, ()) if set(self._titles[key]) <= said}
        places: dict[int, tuple[int, str]] = {}
        for key in sorted(candidates):
            title = self._products[key].title
            place = text.find(title)
            if place >= 0:
                places[place] = max(places.get(place, (0, "")), (len(title), key))
        ends = [(place, place + length) for place, (length, _) in places.items()]
        return [
            key
            for place, (length, key) in sorted(places.items())
            if not any(
                (start <= place and place + length < end) or (start < place and place + length <= end)
                for start, end in ends
            )
        ]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The catalog's words for kinds, colours, sizes and attributes."""
        return Vocabulary(self._products)

    def named(self, text: str) -> set[str]:
        """Ids of all products that the text names, alternatives included."""
        return {product_id for group in self.mentions(text) for product_id in group}

    def about_it(self, text: str) -> str:
        """The text with "it" for each product that it names: what it asks does not depend on which one that is."""
        ids = self.named(text)
        said = text.split()
        if not ids:
            return text
        in_titles = {stemmed for product_id in ids for stemmed in self._titles[product_id]}
        first = {self._titles[product_id][0] for product_id in ids} & self._names.keys()
        stems = [self._corrected(content_stems(word)) for word in said]
        runs = _runs([bool(in_titles & set(of_word)) for of_word in stems])
        names = [run for run in runs if len(run) > 1 or first & set(stems[run[0]])] or sorted(runs, key=len)[-1:]
        return _replaced(said, names)

    def _by_name(self, asked: Counter[str]) -> list[list[str]]:
        """Products whose name word is in the text; of namesakes those that their other words single out."""
        found = {word: self._singled_out(word, asked) for word in asked if word in self._names}
        groups = [
            group
            for word, named in found.items()
            for group in named
            if not any(self._holds(others, word) for other, others in found.items() if other != word)
        ]
        return [ids for ids in groups if len(ids) <= MOST_ALTERNATIVES][:MOST_NAMED]

    def _holds(self, groups: list[list[str]], word: str) -> bool:
        """Whether a word is already explained by a product named otherwise: "fell" in "Quag Fell-Running Shoes", or
        the colour in "the Everest jacket in Ember"."""
        return any(word in self._explains[product_id] for group in groups for product_id in group)

    @cached_property
    def _explains(self) -> dict[str, frozenset[str]]:
        """The words of a product's title and of its colours."""
        return {
            product.id: frozenset(self._titles[product.id])
            | {stem(word) for variant in product.variants for word in words(variant.color or "")}
            for product in self._products.values()
        }

    def _singled_out(self, name: str, asked: Counter[str]) -> list[list[str]]:
        """Of the bearers of a name: each that a word of its own points to ("the Everest jacket or the vest"), or
        else the ones that match best, as alternatives."""
        bearers = self._names[name]
        shared = Counter(word for product_id in bearers for word in self._titles[product_id])
        own = [ids for ids in bearers if any(word in asked and shared[word] == 1 for word in self._titles[ids])]
        return [[product_id] for product_id in own] if own else [self._most_matching(bearers, asked)]

    def _by_coverage(self, asked: Counter[str]) -> list[str]:
        candidates = {product_id for word in asked for product_id in self._by_word.get(word, ())}
        named = [product_id for product_id in candidates if self._is_covered(product_id, asked)]
        best = self._most_matching(named, asked)
        shortest = min((len(self._titles[product_id]) for product_id in best), default=0)
        best = [product_id for product_id in best if len(self._titles[product_id]) == shortest]
        return best if len(best) <= MOST_ALTERNATIVES else []

    def _is_covered(self, product_id: str, asked: Counter[str]) -> bool:
        title = self._titles[product_id]
        has_rare = any(word in asked and len(self._by_word[word]) <= NAME_WORD_PRODUCTS for word in title)
        covered = self._matched(product_id, asked) / sum(map(self._rarity, title))
        enough = NAMED_COVERAGE if title[0] not in asked else NAMED_COVERAGE_WITH_FIRST_WORD
        return covered >= 0.999 or (has_rare and covered >= enough)

    def _most_matching(self, product_ids: Iterable[str], asked: Counter[str]) -> list[str]:
        scored = sorted((-round(self._matched(product_id, asked), 6), product_id) for product_id in product_ids)
        return [product_id for score, product_id in scored if score == scored[0][0]]

    def _matched(self, product_id: str, asked: Counter[str]) -> float:
        """Rarity of the title's words that are in the text, added up."""
        return sum(self._rarity(word) for word in self._titles[product_id] if word in asked)

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """First words of titles that work as names, with the products that bear them."""
        bearers: dict[str, list[str]] = defaultdict(list)
        for product_id, title in self._titles.items():
            if title:
                bearers[title[0]].append(product_id)
        return {
            word: ids
            for word, ids in bearers.items()
            if len(ids) <= NAME_WORD_PRODUCTS and self._in_records[word] <= NAME_WORD_RECORDS and not word[0].isdigit()
        }

    @cached_property
    def _in_records(self) -> Counter[str]:
        """In how many records, titles aside, a stem stands."""
        count: Counter[str] = Counter()
        for product in self._products.values():
            count.update({stem(word) for word in words(f"{product.description} {list(product.attributes.values())}")})
        return count

    def _corrected(self, asked: list[str]) -> list[str]:
        return [word if word in self._by_word or word in self._known else self._nearest(word) for word in asked]

    def _nearest(self, word: str) -> str:
        if len(word) < 5 or word in ASKING:
            return word
        return nearest_word(word, self._title_words) or word

    @cached_property
    def _title_words(self) -> list[str]:
        return [word for word in self._by_word if len(word) >= 4]

    def unknown_words(self, text: str) -> list[str]:
        """Return the words of a question, as typed, that stand in no record: "Do you sell canoes?" -> ["canoes"]."""
        unknown = []
        for word in words(text):
            stemmed = stem(word.removesuffix("'s"))
            if (
                word in STOPWORDS
                or is_contraction(word)
                or len(word) < 3
                or stemmed in ASKING
                or stemmed in self._known
                or word[0].isdigit()
            ):
                continue
            if self._nearest(stemmed) == stemmed:
                unknown.append(word.removesuffix("'s"))
        return list(dict.fromkeys(unknown))

    def others_named(self, text: str, product_ids: Iterable[str]) -> list[str]:
        """Return titles named in the text that belong to none of `product_ids`: a claim about the wrong product."""
        allowed = set(product_ids)
        owned = {word for product_id in allowed for word in self._titles.get(product_id, ())}
        return [
            self._products[product_id].title
            for product_id in sorted(self.named(text) - allowed)
            if not set(self._titles[product_id]) <= owned
        ]
