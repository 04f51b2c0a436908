"""The words that one catalog version has for kinds of products, colours, sizes and attributes."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from graph.asking import ASKING, ASKING_WORDS, nearest_word
from shopbot.language import STOPWORDS, stem, words
from shopbot.limits import ADJECTIVE, Feature, label_stems, measure_of, singular
from shopbot.statements import SPOKEN, attribute_label
from shopbot.types import Product

EVERYTHING = frozenset("product products item items anything something everything gear stuff article articles".split())
# Berlin and Kay, Basic Color Terms (1969): words that mean a colour though no variant has it.
BASIC_COLORS = frozenset("black white red green yellow blue brown orange pink purple gray grey".split())
# What customers say and records write otherwise.
SAME_WORD = {
    "fall": "autumn",
    "ladies": "women",
    "lady": "women",
    "girl": "kid",
    "boy": "kid",
    "children": "kid",
    "child": "kid",
}
# An attribute with at most this many different values over the catalog is a choice among them.
CHOICES = 12
# Fields whose values are about keeping a product, not about what it is.
_NOT_ABOUT_IT = frozenset({"care", "warranty"})
_YES_OR_NO = re.compile(r"(?:yes|no|none|not|without)\b", re.IGNORECASE)
# Behind these a question says what the thing is for, or what it is to have.
_END_OF_THING = frozenset(
    "for with in that which to under below above over at from on between like around without".split()
)
_CONJUNCTS = re.compile(r"\s*(?:&|,|/|\band\b)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Kind:
    """Products of one kind, a closed set: all of the categories called so, or all whose title is.

    `said` is the customer's word for it, `categories` are empty where titles decide; `place` and `end` are where its
    words stand in the question, counted in words. `also` are products elsewhere in the catalog that are called so, too.
    """

    said: str
    head: str
    product_ids: tuple[str, ...]
    categories: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    place: int = 0
    end: int = 0

    @property
    def name(self) -> str:
        """What the shop calls it."""
        return " and ".join(self.categories) if self.categories else self.said


class Vocabulary:
    """Built once a version; building it is linear in the catalog."""

    def __init__(self, products: Mapping[str, Product]) -> None:
        self.products = products

    # ------------------------------------------------------------ kinds

    @cached_property
    def _categories(self) -> dict[str, list[tuple[str, frozenset[str]]]]:
        """By the head of a category's name: the categories, with the words before it. "Hats & Gloves" has no head."""
        found: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
        for name in dict.fromkeys(product.category for product in self.products.values()):
            said = [singular(word) for word in words(name.replace("-", " "))]
            if said and len(_CONJUNCTS.split(name.strip())) == 1:
                found[said[-1]].append((name, frozenset(said[:-1])))
        return found

    @cached_property
    def _conjuncts(self) -> dict[str, list[str]]:
        """By the head of a part of a category's name, where it has several: the categories."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in dict.fromkeys(product.category for product in self.products.values()):
            parts = [words(part) for part in _CONJUNCTS.split(name.strip())]
            if len(parts) > 1:
                for part in filter(None, parts):
                    found[singular(part[-1])].append(name)
        return found

    @cached_property
    def _titled(self) -> dict[str, list[str]]:
        """By the last word of titles that is one: the products."""
        found: dict[str, list[str]] = defaultdict(list)
        for product in self.products.values():
            if head := title_head(product.title):
                found[head].append(product.id)
        return found

    @cached_property
    def _heads(self) -> list[str]:
        return [*self._categories, *self._conjuncts, *self._titled]

    @cached_property
    def _known(self) -> frozenset[str]:
        """Every word of the records, as far as it matters whether a word is misspelt."""
        found: set[str] = set()
        for product in self.products.values():
            texts = [product.title, product.description, product.category, *map(str, product.attributes.values())]
            texts += [f"{variant.color} {variant.size}" for variant in product.variants]
            found.update(
                word for text in (*texts, *map(str, product.attributes)) for word in words(text.replace("_", " "))
            )
        return frozenset(found)

    def is_known(self, word: str) -> bool:
        """Whether a word, or its singular, stands in a record, or is one of asking."""
        said = word.lower()
        return said in self._known or singular(said) in self._known or stem(said) in ASKING or said in BASIC_COLORS

    def nearest_head(self, word: str) -> str | None:
        """The word for a kind of product that a word misspells: "jakcets" -> "jackets"."""
        bare = singular(word)
        swapped = (head for head in self._heads if len(bare) >= 4 and sorted(head) == sorted(bare))
        nearest = nearest_word(bare, self._heads) or next(swapped, None)
        if nearest is None or stem(nearest) in ASKING:
            return None
        return f"{nearest}s" if word != bare else nearest

    def kind_in(self, said: Sequence[str]) -> Kind | None:
        """The kind of product that a question's words name; None where they name none.

        What stands before "for", "with" and the like is meant, not what follows; there a category before a title.
        """
        ends = [place for place, word in enumerate(said) if word in _END_OF_THING]
        for start, end in pairwise([0, *ends, len(said)]):
            for heads in ((self._categories, self._conjuncts), (self._titled,)):
                for place in range(start, end):
                    head = self._head(said[place], heads)
                    if head and not (place + 1 < len(said) and self._continues(head, said[place + 1])):
                        return self._kind(head, said, place)
        for place, word in enumerate(said):
            if word in EVERYTHING:
                return Kind(word, word, tuple(self.products), place=place, end=place + 1)
        return None

    def _continues(self, head: str, following: str) -> bool:
        """Whether the next word is the head proper: "tent light", "sleeping bag liner"."""
        after = singular(following)
        return after in self._titled and any(
            head in map(singular, words(self.products[key].title)) for key in self._titled[after]
        )

    def _head(self, word: str, heads: Iterable[Mapping[str, object]]) -> str | None:
        head = singular(word)
        if word in STOPWORDS or stem(word) in ASKING_WORDS:
            return None
        return head if any(head in known for known in heads) else None

    def _kind(self, head: str, said: Sequence[str], place: int) -> Kind:
        before = [singular(word) for word in said[max(0, place - 2) : place]]
        named = self._categories.get(head, [])
        best = max((len(modifiers & set(before)) for _, modifiers in named), default=0)
        chosen = tuple(name for name, modifiers in named if len(modifiers & set(before)) == best)
        taken = {word for name, modifiers in named if name in chosen for word in modifiers & set(before)}
        start = min([place, *(place - len(before) + i for i, word in enumerate(before) if word in taken)])
        titled = self._titled.get(head, [])
        shown = " ".join(said[start : place + 1])
        if chosen:
            inside = tuple(key for key, product in self.products.items() if product.category in chosen)
            also = () if best else tuple(key for key in titled if key not in set(inside))
            return Kind(shown, head, inside, chosen, also, start, place + 1)
        if titled:
            return Kind(shown, head, tuple(titled), place=start, end=place + 1)
        categories = tuple(self._conjuncts[head])
        inside = tuple(key for key, product in self.products.items() if product.category in categories)
        return Kind(shown, head, inside, categories, (), start, place + 1)

    def kind_of(self, product_id: str) -> Kind:
        """The kind that a product belongs to: its category."""
        category = self.products[product_id].category
        inside = tuple(key for key, product in self.products.items() if product.category == category)
        return Kind(category, singular(category), inside, (category,))

    # ------------------------------------------------------------ colours and sizes

    @cached_property
    def _colors(self) -> dict[str, frozenset[str]]:
        """By each word of a colour's name, and by the whole: the colours. "blue" is in "Ink Blue"."""
        found: dict[str, set[str]] = defaultdict(set)
        for color in {v.color for product in self.products.values() for v in product.variants if v.color}:
            for word in (*words(color), " ".join(words(color))):
                found[word].add(color)
        return {word: frozenset(colors) for word, colors in found.items()}

    def colors(self, said: str) -> frozenset[str]:
        """The catalog's colours that a word or two mean; empty where it has none of that name."""
        return self._colors.get(said.lower(), frozenset())

    @cached_property
    def _sizes(self) -> dict[str, str]:
        sizes = {v.size for product in self.products.values() for v in product.variants if v.size}
        return {" ".join(words(size)) or size.lower(): size for size in sizes}

    def size(self, said: str) -> str | None:
        """The size as the catalog writes it: "xl" -> "XL"."""
        return self._sizes.get(" ".join(words(said)) or said.lower())

    # ------------------------------------------------------------ attributes

    @cached_property
    def _choices(self) -> frozenset[str]:
        """Attributes whose values are choices among few."""
        values: dict[str, set[str]] = defaultdict(set)
        holders: Counter[str] = Counter()
        for product in self.products.values():
            holders.update(list(product.attributes))
            for key, value in product.attributes.items():
                values[key].update(map(str, value) if isinstance(value, list) else [str(value)])
        return frozenset(key for key, seen in values.items() if len(seen) <= min(CHOICES, holders[key] / 2))

    def feature(self, word: str, product_ids: Iterable[str]) -> Feature | None:
        """What a word says of products: the attribute that is called so, or in which most of them say so; else None."""
        word = SAME_WORD.get(singular(word), word)
        bare, stemmed = singular(word), stem(word)
        named: Counter[str] = Counter()
        said: Counter[str] = Counter()
        titled = False
        for product_id in product_ids:
            titled = titled or bare in self._title_words[product_id]
            for key, label, said_words in self._said[product_id]:
                if label == {stemmed}:
                    named[key] += self._tells(key, stemmed)
                elif key not in self._deniable and bare in said_words:
                    said[key] += 2 if key in self._choices else 1
        if any(named.values()):
            return Feature(word, named.most_common(1)[0][0], is_named=True)
        if said:
            key = said.most_common(1)[0][0]
            is_list = any(isinstance(product.attributes.get(key), list) for product in self.products.values())
            also = frozenset({"unisex"}) if bare in ("men", "women") else frozenset()
            return Feature(word, key, is_closed=not is_list or key in self._choices, also=also)
        return Feature(word, None) if titled else None

    @cached_property
    def _deniable(self) -> frozenset[str]:
        """Attributes that say yes or no, or of some product that it is or has not what they are called."""
        return frozenset(
            key
            for product in self.products.values()
            for key, value in product.attributes.items()
            if isinstance(value, bool) or (isinstance(value, str) and _YES_OR_NO.match(value))
        )

    def _tells(self, key: str, stemmed: str) -> bool:
        """Whether having the attribute can mean being what it is called: "waterproof", "packable"; not "materials"."""
        return key in self._deniable or (stemmed != key and key.endswith(ADJECTIVE))

    def phrases(self, product_ids: Iterable[str]) -> list[Feature]:
        """Features of several words: names of yes-or-no attributes ("red light") and choices ("4-season")."""
        found: dict[str, Feature] = {}
        for key, value in ((k, v) for i in product_ids for k, v in self.products[i].attributes.items()):
            label = attribute_label(key)[0]
            if key in self._deniable and len(words(label)) > 1:
                found[label] = Feature(label, key, is_named=True)
            if (
                key in self._choices
                and isinstance(value, str)
                and len(words(value)) > 1
                and not _YES_OR_NO.match(value)
            ):
                found[value.lower()] = Feature(value.lower(), key)
        return sorted(found.values(), key=lambda feature: -len(feature.word))

    def is_choice(self, feature: Feature) -> bool:
        return feature.key in self._choices

    def measures(self, product_ids: Sequence[str]) -> Counter[tuple[str, str]]:
        """Attributes that are numbers, as (label, dimension), with how many of the products have each."""
        ids = tuple(product_ids)
        if ids not in self._counted:
            self._counted[ids] = Counter(measure for key in ids for measure in self._measured[key])
        return self._counted[ids]

    def label_words(self, product_ids: Sequence[str]) -> frozenset[str]:
        """The stems of the names of the products' attributes, and of what customers say for those that are numbers."""
        ids = tuple(product_ids)
        if ids not in self._labelled:
            spoken = [word for label, _ in self.measures(ids) for word in words(f"{label} {SPOKEN.get(label, '')}")]
            named = {stemmed for key in ids for _, label, _ in self._said[key] for stemmed in label}
            self._labelled[ids] = frozenset(named | set(map(stem, spoken)))
        return self._labelled[ids]

    @cached_property
    def _labelled(self) -> dict[tuple[str, ...], frozenset[str]]:
        return {}

    @cached_property
    def _counted(self) -> dict[tuple[str, ...], Counter[tuple[str, str]]]:
        return {}

    @cached_property
    def _measured(self) -> dict[str, list[tuple[str, str]]]:
        """By product: the labels of its attributes that are numbers, with the dimension of each."""
        found: dict[str, list[tuple[str, str]]] = {}
        for product in self.products.values():
            labels = dict.fromkeys(attribute_label(key)[0] for key in product.attributes)
            amounts = ((label, measure_of(product, label)) for label in labels)
            found[product.id] = [(label, amount.dimension) for label, amount in amounts if amount]
        return found

    @cached_property
    def _said(self) -> dict[str, list[tuple[str, frozenset[str], frozenset[str]]]]:
        """By product: each attribute that is no number, with the stems of its name and the words of its value."""
        return {
            product.id: [
                (key, frozenset(label_stems(key)), frozenset(_value_words(value)))
                for key, value in product.attributes.items()
                if key not in _NOT_ABOUT_IT and (isinstance(value, (bool, str, list)))
            ]
            for product in self.products.values()
        }

    @cached_property
    def _title_words(self) -> dict[str, frozenset[str]]:
        return {key: frozenset(map(singular, words(product.title))) for key, product in self.products.items()}


def title_head(title: str) -> str | None:
    """What a title names: its last word that is no number or unit, "tarp" in "Lapwing Tarp 3 x 3 m"."""
    named = [word for word in words(title) if word[0].isalpha() and len(word) > 2]
    return singular(named[-1]) if named else None


def _value_words(value: object) -> set[str]:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return {singular(word) for word in words(text)}
