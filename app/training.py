"""The composition root of `shopbot finetune`: shop, products, prompts and base model for the training."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.wiring import Progress, prompts_of
from evals.cases import read_cases
from finetune.checks import HeldApart
from finetune.export import export
from finetune.pipeline import make_data, train_adapter
from finetune.recipe import Recipe
from ingest.feed import read_feed
from shopbot.adapters import open_adapter
from shopbot.chat_models.convert import BASE_MODEL_NAME, dequantised_folder
from shopbot.database import utc_now
from shopbot.embedding import load_embedder
from shopbot.errors import ConfigError
from shopbot.model_files import BASE_MODEL, locate
from shopbot.settings import Settings
from shopbot.shop import Shop, load_shop
from shopbot.types import Product

ANSWER_TOKENS = 160


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
        return make_data(self.shop, self.products, prompts, self.recipe, held, embedder, self.folder, progress)

    def train(self, progress: Progress) -> Path:
        """Train on that set, going on where a killed run stopped."""
        prompts = prompts_of("tuned", ANSWER_TOKENS)
        base = dequantised_folder(self.settings.cache.expanduser(), _messages(progress))
        return train_adapter(self.shop, prompts, self.recipe, base, self.folder, utc_now(), progress)

    def export(self, target: Path, progress: Progress) -> list[Path]:
        """Write the merged model for other servers."""
        adapter = open_adapter(self.adapter, BASE_MODEL.sha256)
        base = dequantised_folder(self.settings.cache.expanduser(), _messages(progress))
        return export(adapter, locate(BASE_MODEL), base, target, progress)


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
    cases = read_cases()
    ids = frozenset(case.product for case in cases if case.product)
    titles = tuple(product.title for product in products if product.id in ids)
    questions = tuple(dict.fromkeys(case.question for case in cases))
    return HeldApart(ids, titles, questions)


def _messages(progress: Progress) -> Callable[[str], None]:
    """A step without figures, as a bar that is full at once."""
    return lambda message: progress(message, 1, 1)
