"""The composition root of `shopbot finetune`: shop, products, prompts and base model for the training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np

from app.wiring import Progress, prompts_of
from evals.cases import SETS, held_products, read_cases
from finetune.checks import HeldApart
from finetune.dataset import FOLDS
from finetune.examples import ChatMessage, chat_messages
from finetune.export import export
from finetune.pipeline import has_unfinished_run, make_data, train_adapter
from finetune.recipe import Recipe
from graph.asks import by_clause, read_question, read_utterance
from graph.lexicon import Lexicon
from ingest.feed import read_feed
from shopbot.adapters import open_adapter
from shopbot.cards import Asked
from shopbot.catalog import policy_vectors
from shopbot.chat_format import as_cards, as_sections, to_messages
from shopbot.chat_models.convert import BASE_MODEL_NAME, dequantised_folder
from shopbot.database import utc_now
from shopbot.embedding import Embedder, Vectors, load_embedder
from shopbot.errors import ConfigError
from shopbot.facts import facts_of
from shopbot.intents import Intents, examples_of, without_fold
from shopbot.model_files import BASE_MODEL, locate
from shopbot.sections import PolicyVectors
from shopbot.settings import Settings
from shopbot.shop import Shop, load_shop
from shopbot.statements import Source, product_source
from shopbot.types import Hit, Product, ProductFacts

ANSWER_TOKENS = 160
TRIALS = 8


@dataclass(frozen=True)
class Training:
    """What every step of a training needs; steps leave their results in `folder`."""

    settings: Settings
    shop: Shop
    products: list[Product]
    facts: dict[str, ProductFacts]
    recipe: Recipe
    folder: Path

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter"

    def make_data(self, progress: Progress) -> Path:
        """Build and check the training set from the shop's folder. Raises DatasetError."""
        embedder = load_embedder(self.settings.embedder)
        prompts = prompts_of("tuned", ANSWER_TOKENS, self.recipe.data.values)
        held, reader = held_apart(self.products), FoldedReader.of(self.shop, self.products, embedder, progress)
        return make_data(
            self.shop, self.products, self.facts, prompts, self.recipe, held, embedder, reader, self.folder, progress
        )

    @property
    def has_unfinished_run(self) -> bool:
        """Whether a killed training lies in the folder with its set, which is still that of the shop's folder."""
        return has_unfinished_run(self.shop, self.recipe, self.folder)

    def train(self, progress: Progress) -> Path:
        """Train on that set, going on where a killed run stopped."""
        prompts = prompts_of("tuned", ANSWER_TOKENS, self.recipe.data.values)
        base = dequantised_folder(self.settings.cache.expanduser(), _messages(progress))
        return train_adapter(self.shop, prompts, self.recipe, base, self.folder, utc_now(), progress)

    def export(self, target: Path, progress: Progress) -> list[Path]:
        """Write the merged model for other servers."""
        adapter = open_adapter(self.adapter, BASE_MODEL.sha256)
        base = dequantised_folder(self.settings.cache.expanduser(), _messages(progress))
        return export(adapter, locate(BASE_MODEL), base, target, self._trial_prompts(), progress)

    def _trial_prompts(self) -> list[tuple[ChatMessage, ...]]:
        """Policies from the weights and facts over cards, by which the exported model is compared."""
        prompts, config = prompts_of("tuned", ANSWER_TOKENS, self.recipe.data.values), self.shop.config
        asked = [("policy", as_sections([s.id]), s.questions[0]) for s in self.shop.policies if s.questions]
        cards = [product_source(1, product, None, config.locale) for product in self.products]
        asked = asked[:TRIALS] + [
            ("product", as_cards([card], {1: Asked(("weight",))}), f"What does the {card.title} weigh?")
            for card in cards[:TRIALS]
        ]
        return [
            chat_messages(
                to_messages(prompts[role], context, question, assistant=config.assistant_name, shop=config.name)
            )
            for role, context, question in asked
        ]


@dataclass(frozen=True)
class FoldedReader:
    """Reads questions as the workflow does, by classifiers of which each has not seen one part of the examples."""

    lexicon: Lexicon
    embedder: Embedder
    policies: PolicyVectors
    intents: tuple[Intents, ...]
    vectors: dict[str, Vectors]
    """Of the example messages."""

    @classmethod
    def of(cls, shop: Shop, products: Sequence[Product], embedder: Embedder, progress: Progress) -> "FoldedReader":
        examples = examples_of(shop, shop.policies)
        texts = list(
            dict.fromkeys(text for asked in examples.values() for text in asked)
        )  # batches are alike each time
        vectors = dict(zip(texts, embedder.embed(texts, partial(progress, "example messages")), strict=True))
        fitted = []
        for fold in range(FOLDS):
            progress("classifiers of messages", fold, FOLDS)
            kept = [(label, text) for label, asked in without_fold(examples, fold, FOLDS).items() for text in asked]
            labels, said = [label for label, _ in kept], [text for _, text in kept]
            fitted.append(Intents.fit(said, np.stack([vectors[text] for text in said]), labels))
        progress("classifiers of messages", FOLDS, FOLDS)
        lexicon = Lexicon({product.id: product for product in products}, {s.id: s for s in shop.policies})
        return cls(lexicon, embedder, policy_vectors(shop.policies, embedder), tuple(fitted), vectors)

    def asked(self, question: str, sources: Sequence[Source], fold: int) -> dict[int, Asked]:
        with_these = (self.lexicon, self.intents[fold], self.embedder)
        question = self.lexicon.spelt(question)
        utterance = by_clause(read_utterance(question, *with_these), *with_these)
        readings = read_question(question, utterance, sources, self.embedder)
        return {number: reading.asked for number, reading in readings.items()}

    def sections(self, question: str, fold: int) -> list[Hit]:
        vector = self.vectors[question]
        return self.policies.rank(vector, self.intents[fold].read([question], vector[None]))


def open_training(settings: Settings, recipe: Recipe, folder: Path | None) -> Training:
    """Read the shop's folder and feed. Raises ConfigError, FeedError."""
    if recipe.base != BASE_MODEL_NAME:
        raise ConfigError(f"recipe {recipe.name}: base {recipe.base!r}; only {BASE_MODEL_NAME} is trained so far")
    shop = load_shop(settings.shop)
    feed = read_feed(shop.catalog_feed, shop.config.currency, utc_now() - timedelta(seconds=1))
    folder = folder or settings.home / "training" / f"{recipe.name}-{recipe.seed}"
    return Training(settings, shop, list(feed.products), facts_of(feed.facts), recipe, folder)


def held_apart(products: list[Product]) -> HeldApart:
    """What the evaluation's cases keep for themselves."""
    cases = [case for name in SETS for case in read_cases(name)]
    ids = held_products()
    titles = tuple(product.title for product in products if product.id in ids)
    questions = tuple(dict.fromkeys(case.question for case in cases))
    return HeldApart(ids, titles, questions)


def _messages(progress: Progress) -> Callable[[str], None]:
    """A step without figures, as a bar that is full at once."""
    return lambda message: progress(message, 1, 1)
