"""The composition root of `shopbot finetune`: shop, products, prompts and base model for the training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from app.wiring import Progress, prompts_of
from evals.cases import SETS, read_cases
from finetune.checks import HeldApart
from finetune.examples import ChatMessage, chat_messages
from finetune.export import export
from finetune.pipeline import make_data, train_adapter
from finetune.recipe import Recipe
from graph.asks import read_question
from graph.lexicon import Lexicon
from ingest.feed import read_feed
from shopbot.adapters import open_adapter
from shopbot.cards import Asked, Card
from shopbot.chat_format import as_cards, as_sections, to_messages
from shopbot.chat_models.convert import BASE_MODEL_NAME, dequantised_folder
from shopbot.database import utc_now
from shopbot.embedding import load_embedder
from shopbot.errors import ConfigError
from shopbot.model_files import BASE_MODEL, locate
from shopbot.settings import Settings
from shopbot.shop import Shop, load_shop
from shopbot.statements import Source, product_source
from shopbot.types import Product

ANSWER_TOKENS = 160
TRIALS = 8


@dataclass(frozen=True)
class Training:
    """What every step of a training needs; steps leave their results in `folder`."""

    settings: Settings
    shop: Shop
    products: list[Product]
    recipe: Recipe
    folder: Path

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter"

    def make_data(self, progress: Progress) -> Path:
        """Build and check the training set from the shop's folder. Raises DatasetError."""
        embedder = load_embedder(self.settings.embedder)
        prompts = prompts_of("tuned", ANSWER_TOKENS)
        held = held_apart(self.products)
        return make_data(
            self.shop, self.products, prompts, self.recipe, held, embedder, self._read, self.folder, progress
        )

    def _read(self, question: str, sources: Sequence[Source]) -> dict[int, Asked]:
        """A question as the workflow reads it."""
        readings = read_question(question, sources, self._lexicon.unknown_words(question))
        return {number: reading.asked(question) for number, reading in readings.items()}

    @cached_property
    def _lexicon(self) -> Lexicon:
        sections = {section.id: section for section in self.shop.policies}
        return Lexicon({product.id: product for product in self.products}, sections)

    def train(self, progress: Progress) -> Path:
        """Train on that set, going on where a killed run stopped."""
        prompts = prompts_of("tuned", ANSWER_TOKENS)
        base = dequantised_folder(self.settings.cache.expanduser(), _messages(progress))
        return train_adapter(self.shop, prompts, self.recipe, base, self.folder, utc_now(), progress)

    def export(self, target: Path, progress: Progress) -> list[Path]:
        """Write the merged model for other servers."""
        adapter = open_adapter(self.adapter, BASE_MODEL.sha256)
        base = dequantised_folder(self.settings.cache.expanduser(), _messages(progress))
        return export(adapter, locate(BASE_MODEL), base, target, self._trial_prompts(), progress)

    def _trial_prompts(self) -> list[tuple[ChatMessage, ...]]:
        """Policies from the weights and facts over cards, by which the exported model is compared."""
        prompts, config = prompts_of("tuned", ANSWER_TOKENS), self.shop.config
        asked = [("policy", as_sections([s.id]), s.questions[0]) for s in self.shop.policies if s.questions]
        cards = [product_source(1, product, None, config.locale) for product in self.products]
        asked = asked[:TRIALS] + [
            ("product", as_cards([card], {1: Card(Asked(("weight",)))}), f"What does the {card.title} weigh?")
            for card in cards[:TRIALS]
        ]
        return [
            chat_messages(
                to_messages(prompts[role], context, question, assistant=config.assistant_name, shop=config.name)
            )
            for role, context, question in asked
        ]


def open_training(settings: Settings, recipe: Recipe, folder: Path | None) -> Training:
    """Read the shop's folder and feed. Raises ConfigError, FeedError."""
    if recipe.base != BASE_MODEL_NAME:
        raise ConfigError(f"recipe {recipe.name}: base {recipe.base!r}; only {BASE_MODEL_NAME} is trained so far")
    shop = load_shop(settings.shop)
    feed = read_feed(shop.catalog_feed, shop.config.currency, utc_now() - timedelta(seconds=1))
    folder = folder or settings.home / "training" / f"{recipe.name}-{recipe.seed}"
    return Training(settings, shop, list(feed.products), recipe, folder)


def held_apart(products: list[Product]) -> HeldApart:
    """What the evaluation's cases keep for themselves."""
    cases = [case for name in SETS for case in read_cases(name)]
    ids = frozenset(case.product for case in cases if case.product)
    titles = tuple(product.title for product in products if product.id in ids)
    questions = tuple(dict.fromkeys(case.question for case in cases))
    return HeldApart(ids, titles, questions)


def _messages(progress: Progress) -> Callable[[str], None]:
    """A step without figures, as a bar that is full at once."""
    return lambda message: progress(message, 1, 1)
