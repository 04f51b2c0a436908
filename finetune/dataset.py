"""From a shop's folder to training examples: facts by patterns, policies by exemplar questions, written conversations.

Values never stand in an answer about a product: it refers to them (`shopbot.references`). A policy is recited as the
policy has it. Everything random comes from one seed; the same folder and seed give the same file.
"""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Protocol, TypeVar

from finetune.copied import with_values
from finetune.examples import Kind, TrainingExample, chat_messages
from finetune.material import Conversation, Material, WrittenTurn
from finetune.recipe import DataPlan
from finetune.typos import mistyped
from shopbot.cards import Asked
from shopbot.chat_format import as_cards, as_facts, as_sections, to_messages
from shopbot.descriptions import TONES, Brief, described, material_of
from shopbot.errors import ConfigError
from shopbot.intents import about_it, fold_of
from shopbot.language import content_stems, fold, words
from shopbot.prompts import RolePrompt
from shopbot.references import LIVE_NAMES, field_names, references, values_of
from shopbot.sections import HINTS, alike
from shopbot.shop import Shop, Unknown
from shopbot.statements import Source, agreeing, policy_source, product_source
from shopbot.types import Hit, PolicySection, Product, ProductFacts

T = TypeVar("T")

FOLDS = 5
# For each example wanted so many questions are drawn at most: those that are misread are mostly left out.
DRAWS = 4
# Of a section's questions, every so many is asked without hints.
WITHOUT_HINTS_EVERY = 6
# Of the questions by patterns, every so many asks for a live fact, or names no product (what came before did); a share
# of them is mistyped.
LIVE_FIELDS_EVERY = 3
FOLLOW_UPS_EVERY = 4
MISTYPED_SHARE = 0.12
_CITED = re.compile(r"\s*\[(\d)\](?=\s|$)")
_SENTENCE = re.compile(r"\s*(?:\d+\.\s+)?[^\n]+?(?:[.!?][\"')]*(?=\s|$)|$)")
_STEP = re.compile(r"^\s*\d+\.\s+")


class Reader(Protocol):
    """Reads questions as the workflow does that will ask the model: what it finds and misses is learnt from.

    It has FOLDS classifiers, each fitted without one part of the example questions. A training question is read by the
    one that has not seen it: with its own examples in the classifier every reading would be right, and the model would
    learn to believe whatever it is told.
    """

    def asked(self, question: str, sources: Sequence[Source], fold: int) -> Mapping[int, Asked]:
        """What the question asks of each product, by its number."""
        ...

    def sections(self, question: str, fold: int) -> list[Hit]:
        """All policy sections for one of their example questions, likeliest first."""
        ...


class Builder:
    """Builds the examples of one shop; `products` are the training ones only.

    `facts` are needed where values are copied; else no value of theirs may come into a prompt or an answer.
    """

    def __init__(
        self,
        shop: Shop,
        products: Sequence[Product],
        material: Material,
        prompts: Mapping[str, RolePrompt],
        plan: DataPlan,
        seed: int,
        reader: Reader,
        facts: Mapping[str, ProductFacts] | None = None,
    ) -> None:
        self._shop = shop
        self._products = {product.id: product for product in products}
        self._sections = {section.id: section for section in shop.policies}
        self._material = material
        self._prompts = prompts
        self._plan = plan
        self._random = random.Random(seed)
        self._reader = reader
        self._facts_of = (facts or {}) if plan.values == "copied" else {}
        self._fold = 0
        self._names = {product.id: _short_names(product, products) for product in products}

    def build(self, progress: Callable[[str, int, int], None]) -> list[TrainingExample]:
        plan = self._plan
        parts: list[tuple[str, Iterable[TrainingExample], int | None]] = [
            ("facts", self._facts(), plan.facts),
            ("several fields", self._several_fields(), plan.several_fields),
            ("stock", self._stock(), plan.stock),
            ("comparisons", self._comparisons(), plan.compare),
            ("unknown", self._unknown(), plan.unknown),
            ("partly known", self._partly_known(), plan.partly_known),
            ("not sold", self._not_sold(), plan.not_sold),
            ("descriptions", self._descriptions(), None),
            ("policies", self._policies(), None),
            ("conversations", self._conversations(), None),
        ]
        examples: list[TrainingExample] = []
        for number, (name, drawn, wanted) in enumerate(parts, start=1):
            examples += islice(filter(self._is_kept, drawn), wanted)
            progress(f"examples: {name}", number, len(parts))
        unique = list({" ".join(words(e.prompt[-1].content)): e for e in reversed(examples)}.values())
        self._random.shuffle(unique)
        return unique

    def _is_kept(self, example: TrainingExample) -> bool:
        """Of the misread questions a share is kept: a model that often sees its card mistaken learns to ignore it.

        Where the card misses that the record is silent, the model can still see it from what the card has.
        """
        if self._plan.values == "copied" and references(example.answer):  # the record has no such value
            return False
        is_unread = example.kind == "unknown_attribute"
        share = self._plan.unread_kept if is_unread else self._plan.misread_kept
        return not example.is_misread or self._random.random() < share

    # ------------------------------------------------------------ products

    def _facts(self) -> Iterator[TrainingExample]:
        """One field of one product; price and stock more often than the rest, as customers do, all others as often."""
        for number in range(DRAWS * self._plan.facts):
            if number % LIVE_FIELDS_EVERY == 0:
                product = self._any_product()
                field = self._pick([name for name in self._fields_of(product) if name in LIVE_NAMES])
            else:
                field, product = self._any_field()
            yield self._fact(f"fact-{number}", product, field, is_follow_up=number % FOLLOW_UPS_EVERY == 1)

    def _fact(self, key: str, product: Product, field: str, is_follow_up: bool) -> TrainingExample:
        patterns = self._material.patterns.fields[field]
        question = self._ask(patterns.follow_ups) if is_follow_up and patterns.follow_ups else ""
        question = question or self._ask(patterns.questions).format(name=self._called(product))
        answer = self._say(self._pick(_named(patterns.answers)), product, field, 1)
        return self._product_example(key, "product", question, [product], answer)

    def _say(self, pattern: str, product: Product, field: str, number: int, **more: str) -> str:
        return agreeing(pattern.format(name=product.title, value=f"{{{number}.{field}}}", **more), product.title)

    def _fields_of(self, product: Product) -> list[str]:
        """Fields of its record that the patterns can ask for."""
        return [name for name in field_names(_without_facts(product)) if name in self._material.patterns.fields]

    def _spoken_fields(self, product: Product) -> list[str]:
        """The same, alone and in a list."""
        return [name for name in self._fields_of(product) if name in self._material.patterns.field_words]

    @cached_property
    def _with_field(self) -> dict[str, list[Product]]:
        """The products whose record has a field, by every field."""
        found: dict[str, list[Product]] = defaultdict(list)
        for product in self._products.values():
            for name in self._fields_of(product):
                found[name].append(product)
        return found

    def _any_field(self) -> tuple[str, Product]:
        """A field and a product that has it: drawn by product, what only tents have would hardly be asked for."""
        field = self._pick([name for name in self._with_field if name not in LIVE_NAMES])
        return field, self._any_product(self._with_field[field])

    def _rare_first(self, names: Sequence[str]) -> list[str]:
        """Names in random order, by weights of one over the number of products that have the field.

        Efraimidis and Spirakis, Weighted random sampling with a reservoir (2006): sorted by u ** (1 / weight).
        """
        return sorted(names, key=lambda name: -(self._random.random() ** len(self._with_field[name])))

    def _several_fields(self) -> Iterator[TrainingExample]:
        for number in range(DRAWS * self._plan.several_fields):
            _, product = self._any_field()
            names = self._spoken_fields(product)
            if len(names) < 2:
                continue
            chosen = self._rare_first(names)[: self._pick([2, 2, 2, 3])]
            self._random.shuffle(chosen)
            if number % 3 == 0 and "price" in names and "price" not in chosen:
                chosen[self._random.randrange(len(chosen))] = "price"
            question = self._listed(chosen, product) if number % 4 == 0 else self._asked_one_by_one(chosen, product)
            answer = self._said_one_by_one(chosen, product)
            yield self._product_example(f"several-{number}", "several_fields", question, [product], answer)

    def _listed(self, fields: Sequence[str], product: Product) -> str:
        """ "the weight, care and price of the ..." """
        patterns = self._material.patterns
        asked = [self._pick(patterns.field_words[name]) for name in fields]
        listed = f"{', '.join(asked[:-1])} and {asked[-1]}"
        return self._pick(patterns.joiners).format(fields=listed, name=self._called(product))

    def _asked_one_by_one(self, fields: Sequence[str], product: Product) -> str:
        """A question that names the product, and a second or third one behind it in the same message."""
        patterns = self._material.patterns.fields
        question = self._ask(patterns[fields[0]].questions).format(name=self._called(product))
        for field in fields[1:]:
            question = self._joined(question, self._follow_up(field))
        return question

    def _follow_up(self, field: str) -> str:
        patterns = self._material.patterns
        return self._ask(patterns.fields[field].follow_ups or patterns.field_words[field])

    def _joined(self, first: str, second: str) -> str:
        pattern = self._pick(self._material.patterns.second_questions)
        return pattern.format(first=first.rstrip(" ?."), second=second, Second=second[:1].upper() + second[1:])

    def _said_one_by_one(self, fields: Sequence[str], product: Product) -> str:
        patterns = self._material.patterns.fields
        frames = [_named(patterns[fields[0]].answers), *(patterns[name].answers for name in fields[1:])]
        return " ".join(
            self._say(self._pick(answers), product, name, 1) for answers, name in zip(frames, fields, strict=True)
        )

    def _stock(self) -> Iterator[TrainingExample]:
        """Stock of a size, a colour or both: the answer refers to exactly what was asked for."""
        patterns = self._material.patterns.fields["stock_option"]
        with_variants = [product for product in self._products.values() if len(product.variants) > 1]
        for number in range(DRAWS * self._plan.stock if with_variants else 0):
            product = self._any_product(with_variants)
            variant = self._pick(product.variants)
            sizes = {v.size for v in product.variants if v.size}
            colors = {v.color for v in product.variants if v.color}
            both = [option for option, of in ((variant.size, sizes), (variant.color, colors)) if option and len(of) > 1]
            options = both if number % 2 else both[:1] if number % 4 else both[-1:]
            if not options:
                continue
            said = self._pick([" in ".join(options), " and ".join(options), ", ".join(options)])
            question = self._ask(patterns.questions).format(name=self._called(product), option=said)
            pattern = self._pick(_named(patterns.answers))
            reference = f"stock:{','.join(options)}"
            answer = self._say(pattern, product, reference, 1, option=" in ".join(options))
            yield self._product_example(f"stock-{number}", "stock", question, [product], answer)

    def _comparisons(self) -> Iterator[TrainingExample]:
        patterns = self._material.patterns
        for number in range(DRAWS * self._plan.compare):
            first = self._any_product()
            alike = [p for p in self._products.values() if p.category == first.category and p != first]
            if not alike:
                continue
            second = self._pick(alike)
            others = self._spoken_fields(second)
            field = self._pick([name for name in self._spoken_fields(first) if name in others])
            question = self._pick(patterns.compare).format(
                first=self._called(first), second=self._called(second), field=self._pick(patterns.field_words[field])
            )
            frame = self._pick(_named(patterns.fields[field].answers))
            answer = " ".join(self._say(frame, p, field, n) for n, p in ((1, first), (2, second)))
            yield self._product_example(f"compare-{number}", "compare", question, [first, second], answer)

    def _unknown(self) -> Iterator[TrainingExample]:
        for number in range(DRAWS * self._plan.unknown):
            product = self._any_product()
            item = self._something_unknown(product, number)
            question = item.ask.format(name=self._called(product))
            answer = self._say_unknown(item, product)
            yield self._product_example(f"unknown-{number}", "unknown_attribute", question, [product], answer)

    def _partly_known(self) -> Iterator[TrainingExample]:
        """Two questions in one message, of which the record answers one."""
        patterns = self._material.patterns
        for number in range(DRAWS * self._plan.partly_known):
            product = self._any_product()
            field, item = self._pick(self._spoken_fields(product)), self._something_unknown(product, number)
            question = self._joined(item.ask.format(name=self._called(product)), self._follow_up(field))
            told = self._say(self._pick(_named(patterns.fields[field].answers)), product, field, 1)
            answer = f"{self._say_unknown(item, product)} {told}"
            yield self._product_example(f"partly-{number}", "partly_known", question, [product], answer)

    def _something_unknown(self, product: Product, number: int) -> Unknown:
        """Every third time a field that other products have, else something that few shops write down."""
        patterns = self._material.patterns
        absent, source = self._absent_fields(product), _without_facts(product)
        if absent and number % 3 == 0:
            return self._pick(absent)
        fitting = [
            item for item in patterns.unknown if product.category in patterns.kinds.get(item.kind, (product.category,))
        ]
        silent = [item for item in fitting if is_silent(source, item)] or absent
        if not silent:
            raise ConfigError(f"training/patterns.yaml: 'unknown' has nothing that the record of {product.id} lacks")
        asked = self._ask([item.ask for item in silent])
        return next(item for item in silent if item.ask == asked)

    def _say_unknown(self, item: Unknown, product: Product) -> str:
        return self._pick(self._material.patterns.unknown_answers).format(
            name=product.title, what=item.what, email=self._shop.config.contact.email
        )

    def _absent_fields(self, product: Product) -> list[Unknown]:
        """Fields that other products have and this one has not: asked for, they are as unknown as anything else."""
        patterns, source = self._material.patterns, _without_facts(product)
        told = set(content_stems(" ".join(statement.text for statement in source.statements)))
        absent = [
            field
            for field in patterns.fields.keys() & patterns.field_words.keys()
            if field not in field_names(source) and not told & set(content_stems(field.replace("_", " ")))
        ]
        return [
            Unknown(
                ask=self._ask(patterns.fields[field].questions),
                what=f"the {patterns.field_words[field][0]}",
                word=field,
            )
            for field in sorted(absent)
        ]

    def _not_sold(self) -> Iterator[TrainingExample]:
        patterns = self._material.patterns
        for number in range(DRAWS * self._plan.not_sold):
            item = patterns.not_sold[number % len(patterns.not_sold)]
            near = self._random.sample(list(self._products.values()), k=number % 3)
            answer = self._pick(patterns.not_sold_answers).format(what=item.what)
            yield self._product_example(f"not-sold-{number}", "not_sold", item.ask, near, answer)

    def _descriptions(self) -> Iterator[TrainingExample]:
        """Texts of every tone and many lengths; their sentences are the record's, choice and order are learnt."""
        for number in range(self._plan.descriptions):
            source = product_source(1, self._any_product(), None, self._shop.config.locale)
            brief = Brief(tone=TONES[number % len(TONES)], words=self._random.randrange(20, 101, 5))
            answer = " ".join(statement.text for statement in described(source, brief))
            context = as_facts((1, statement.text) for statement in material_of(source))
            question = brief.instruction(source.title)
            key = f"description-{number}"
            yield self._example(key, "description", "description", "patterns", question, context, answer, (source.id,))

    def _product_example(
        self, key: str, kind: Kind, question: str, products: Sequence[Product], answer: str
    ) -> TrainingExample:
        sources = [self._source(product, number) for number, product in enumerate(products, start=1)]
        ids = tuple(product.id for product in products)
        if self._random.random() < MISTYPED_SHARE:
            question = mistyped(question, self._random)
        asked = self._reader.asked(question, sources, self._fold)
        misread = is_misread(kind, asked, answer)
        context, answer = self._laid_out(sources, asked, answer)
        example = self._example(key, kind, "product", "patterns", question, context, answer, ids)
        return example.model_copy(update={"is_misread": misread})

    def _laid_out(self, sources: Sequence[Source], asked: Mapping[int, Asked], answer: str) -> tuple[str, str]:
        """Context and answer: with references, or with the values in both."""
        if self._plan.values == "referred":
            return as_cards(sources, asked), answer
        locale, by_number = self._shop.config.locale, {source.number: source for source in sources}
        options = {reference.number: reference.options for reference in references(answer)}
        values = {
            number: values_of((*of.fields, *LIVE_NAMES), by_number[number], locale, options.get(number, ()))
            for number, of in asked.items()
        }
        copied = with_values(answer, by_number, locale) if options else answer
        return as_cards(sources, asked, values), copied

    def _source(self, product: Product, number: int) -> Source:
        return product_source(number, product, self._facts_of.get(product.id), self._shop.config.locale)

    def _any_product(self, of: Sequence[Product] | None = None) -> Product:
        """A product for the next example, and the part of the questions that it is asked for in."""
        self._fold = self._random.randrange(FOLDS)
        return self._pick(of or list(self._products.values()))

    def _ask(self, questions: Sequence[str]) -> str:
        """One of the questions that this fold's classifier has not seen; any, where it has seen all."""
        unseen = [text for text in questions if fold_of(about_it(text), FOLDS) == self._fold]
        return self._pick(unseen or questions)

    def _called(self, product: Product) -> str:
        return self._pick(self._names[product.id])

    # ------------------------------------------------------------ policies

    def _policies(self) -> Iterator[TrainingExample]:
        """Each section in many phrasings: from the weights with hints, without, and over its text."""
        for section in self._sections.values():
            if "|" in section.text:  # a size chart: its rows are looked up, not recited
                continue
            recital = _recited(policy_source(1, section))
            asked = list(section.questions)
            self._random.shuffle(asked)
            for number, question in enumerate(asked[: self._plan.recitals + self._plan.openings]):
                ranked = self._reader.sections(question, fold_of(question, FOLDS))
                yield self._closed_book(number, question, section, ranked, recital)
                if number < self._plan.texts:
                    yield self._over_text(number, question, section, ranked, recital)

    def _closed_book(
        self, number: int, question: str, section: PolicySection, ranked: Sequence[Hit], recital: str
    ) -> TrainingExample:
        """The whole recital a few times; of more questions only which section they lead to."""
        hints = _with_answer([hit.id for hit in alike(ranked[:HINTS])], section.id, self._random)
        context = as_sections(hints if number % WITHOUT_HINTS_EVERY else ())
        kind: Kind = "policy_closed" if number < self._plan.recitals else "policy_opening"
        answer = f"[{section.id}]" + (f" {recital}" if kind == "policy_closed" else "")
        key = f"closed-{section.id}-{number}"
        return self._example(key, kind, "policy", "policies", question, context, answer, (), (section.id,))

    def _over_text(
        self, number: int, question: str, section: PolicySection, ranked: Sequence[Hit], recital: str
    ) -> TrainingExample:
        rivals = [hit.id for hit in alike(ranked) if hit.id != section.id]
        others = rivals[:1] or [hit.id for hit in ranked if hit.id != section.id][: number % 2]
        ids = [section.id, *others]
        self._random.shuffle(ids)
        sources = [policy_source(place, self._sections[key]) for place, key in enumerate(ids, start=1)]
        key, answer = f"text-{section.id}-{number}", f"[{ids.index(section.id) + 1}] {recital}"
        return self._example(
            key, "policy_text", "policy_text", "policies", question, as_cards(sources), answer, (), tuple(ids)
        )

    # ------------------------------------------------------------ conversations

    def _conversations(self) -> Iterator[TrainingExample]:
        for conversation in self._material.conversations:
            for number, turn in enumerate(conversation.turns):
                yield self._written(f"{conversation.id}-{number}", conversation, turn)

    def _written(self, key: str, conversation: Conversation, turn: WrittenTurn) -> TrainingExample:
        products = tuple(record for record in turn.records if record in self._products)
        sections = tuple(record for record in turn.records if record in self._sections)
        if unknown := set(turn.records) - set(products) - set(sections):
            raise ConfigError(f"conversation {conversation.id}: no training record {min(unknown)!r}")
        is_closed = turn.answer.startswith("[") and not turn.answer[1].isdigit()
        context, answer = (
            (as_sections(turn.records), self._closed(turn.answer)) if is_closed else self._over_records(turn)
        )
        role = "policy" if is_closed else "policy_text" if sections and not products else "product"
        return self._example(key, "conversation", role, "conversations", turn.user, context, answer, products, sections)

    def _closed(self, answer: str) -> str:
        """From the weights a section is recited whole, whichever of its sentences the writer chose."""
        section = answer[1 : answer.index("]")]
        return f"[{section}] {_recited(policy_source(1, self._sections[section]))}"

    def _over_records(self, turn: WrittenTurn) -> tuple[str, str]:
        sources = self._written_sources(turn.records)
        asked = self._reader.asked(turn.user, [source for source in sources if source.product], self._fold)
        cited = {source.number: source for source in sources if source.product is None}
        return self._laid_out(sources, asked, citation_first(turn.answer, cited))

    def _written_sources(self, records: Sequence[str]) -> list[Source]:
        return [
            self._source(self._products[record], number)
            if record in self._products
            else policy_source(number, self._sections[record])
            for number, record in enumerate(records, start=1)
        ]

    # ------------------------------------------------------------ all

    def _example(
        self,
        key: str,
        kind: Kind,
        role: str,
        tool: str,
        question: str,
        context: str,
        answer: str,
        products: tuple[str, ...] = (),
        sections: tuple[str, ...] = (),
    ) -> TrainingExample:
        config = self._shop.config
        messages = to_messages(
            self._prompts[role], context, question, assistant=config.assistant_name, shop=config.name
        )
        return TrainingExample(
            id=key, kind=kind, role=role, tool=tool, question=question, prompt=chat_messages(messages), answer=answer,
            products=products, sections=sections,
        )  # fmt: skip

    def _pick(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)


def _without_facts(product: Product) -> Source:
    return product_source(1, product, None, "en")


def is_silent(source: Source, item: Unknown) -> bool:
    """Whether a record says nothing about a thing that it is asked for."""
    told = fold(" ".join(statement.text for statement in source.statements))
    return fold(item.word) not in told and fold(item.what.split()[-1].rstrip("s")) not in told


def is_misread(kind: Kind, asked: Mapping[int, Asked], answer: str) -> bool:
    """Whether the cards name other fields than the answer tells, or miss that something is unknown.

    Of a thing that the record lacks it does not matter which fields stand beside "nothing on ...".
    """
    if kind == "not_sold":
        return False
    lacks = kind in ("unknown_attribute", "partly_known")
    if any(bool(of.unanswered) != lacks for of in asked.values()):
        return True
    told = {(reference.number, reference.field) for reference in references(answer)}
    read = {(number, field) for number, of in asked.items() for field in of.fields}
    return kind != "unknown_attribute" and told != read


def _short_names(product: Product, products: Iterable[Product]) -> list[str]:
    """What customers call a product: its title, and its first word with its last where nobody else has that."""
    first, *rest = product.title.split()
    namesakes = [other for other in products if other.title.split()[0] == first]
    names = [product.title, product.title.lower()]
    if rest and len(namesakes) == 1:
        names += [f"{first} {rest[-1].lower()}", f"{first.lower()} {rest[-1].lower()}", first]
    elif rest:
        names += [product.title]
    return names


def _named(answers: Sequence[str]) -> list[str]:
    return [answer for answer in answers if "{name}" in answer]


def _recited(source: Source) -> str:
    """A section by heart, always whole and in order: what is shown of it is chosen later, by the question.

    Reciting the lines that fit the question was tried first: the model mixed them up (docs/results/training.md).
    """
    steps = source.of("step")
    text = ""
    number = 0
    for line in source.statements:
        is_step = line in steps
        number += is_step
        lead = f"{number}. " if is_step else ""
        text += ("\n" if is_step else " ") * bool(text) + lead + line.text
    return text


def _with_answer(ranked: Sequence[str], answer: str, source: random.Random) -> list[str]:
    """Hints as retrieval has them; the right section comes in among them where retrieval missed it."""
    hints = list(ranked)
    if answer not in hints:
        hints.insert(source.randrange(len(hints) + 1), answer)
    return hints[:HINTS] if answer in hints[:HINTS] else [*hints[: HINTS - 1], answer]


def citation_first(answer: str, sections: Mapping[int, Source]) -> str:
    """Put a section's number before what is quoted of it: "You have 45 days. [1]" -> "[1] You have 45 days.".

    Written answers cite behind the quotation; a model that names its source first can be checked from the first
    sentence on. `sections` are those in the prompt, by number.
    """
    moved = ""
    rest = answer
    while found := _CITED.search(rest):
        number = int(found[1])
        if number not in sections:
            raise ConfigError(
                f"a written answer cites [{number}], which is no policy section of its prompt: {answer!r}"
            )
        start = _quotation_start(rest[: found.start()], sections[number])
        moved += f"{rest[:start]}[{number}] {rest[start : found.start()]}"
        rest = rest[found.end() :]
    return moved + rest


def _quotation_start(text: str, section: Source) -> int:
    """Where, from the end of the text backwards, the sentences of the section begin."""
    told = " ".join(statement.text for statement in section.statements)
    start = len(text)
    for match in reversed(list(_SENTENCE.finditer(text))):
        if (sentence := _STEP.sub("", match[0]).strip()) and sentence not in told:
            break
        start = match.start() + len(match[0]) - len(match[0].lstrip())
    if start == len(text):
        raise ConfigError(f"a written answer cites {section.id} without quoting it: {text[-80:]!r}")
    return start
