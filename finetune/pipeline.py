"""The way from a shop's folder to an adapter with its card: data, training, export."""

import json
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from finetune.checks import HeldApart, check_examples, near_duplicates
from finetune.dataset import Builder, Reader
from finetune.examples import TrainingExample, read_examples, write_examples
from finetune.material import read_material
from finetune.recipe import Recipe
from shopbot.adapters import CARD, WEIGHTS, AdapterCard, section_hash
from shopbot.chat_format import CHAT_FORMAT_VERSION
from shopbot.embedding import Embedder
from shopbot.errors import DatasetError
from shopbot.model_files import BASE_MODEL, sha256_of
from shopbot.prompts import RolePrompt
from shopbot.shop import Shop
from shopbot.types import Product, ProductFacts

if TYPE_CHECKING:  # torch and trl take seconds to import
    from finetune.train import TrainingRun

Progress = Callable[[str, int, int], None]
EXAMPLES = "examples.jsonl"
CHAT_EXPORT = "chat.jsonl"
DATA_CARD = "data.json"
LICENCE = "Apache-2.0"
_VERSIONS = ("torch", "transformers", "peft", "trl", "datasets")
_MOST_NAMED = 20


def make_data(
    shop: Shop,
    products: Sequence[Product],
    facts: Mapping[str, ProductFacts],
    prompts: Mapping[str, RolePrompt],
    recipe: Recipe,
    held_apart: HeldApart,
    embedder: Embedder,
    reader: Reader,
    folder: Path,
    progress: Progress,
) -> Path:
    """Build, check and write the training set; return the file of examples.

    Beside it: the same as chat messages for hosted tuning, and a data card. Raises DatasetError with every problem
    found; nothing is written then.
    """
    training = [product for product in products if product.id not in held_apart.products]
    builder = Builder(shop, training, read_material(shop), prompts, recipe.data, recipe.seed, reader, facts)
    examples = builder.build(progress)
    contact = shop.config.contact
    problems = check_examples(examples, held_apart, (contact.email, contact.phone), embedder)
    if problems:
        raise DatasetError(_listed([str(problem) for problem in problems]))
    folder.mkdir(parents=True, exist_ok=True)
    digest = write_examples(examples, folder / EXAMPLES)
    _write_chat(examples, folder / CHAT_EXPORT)
    card = _data_card(shop, examples, recipe, digest)
    (folder / DATA_CARD).write_text(json.dumps(card, indent=2), encoding="utf-8")
    return folder / EXAMPLES


def _listed(problems: Sequence[str]) -> str:
    more = f"; and {len(problems) - _MOST_NAMED} more" if len(problems) > _MOST_NAMED else ""
    return f"{len(problems)} problems in the training data: {'; '.join(problems[:_MOST_NAMED])}{more}"


def _write_chat(examples: Sequence[TrainingExample], path: Path) -> None:
    """JSON Lines of {"messages": [...]}, the format of hosted tuning services, which know no unfinished answers."""
    with path.open("w", encoding="utf-8") as stream:
        for example in (example for example in examples if not example.is_opening):
            messages = [*(m.model_dump() for m in example.prompt), {"role": "assistant", "content": example.answer}]
            stream.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")


def _data_card(shop: Shop, examples: Sequence[TrainingExample], recipe: Recipe, digest: str) -> dict[str, object]:
    return {
        "shop": shop.config.name,
        "sha256": digest,
        "seed": recipe.seed,
        "examples": len(examples),
        "kinds": dict(Counter(example.kind for example in examples)),
        "misread": dict(Counter(example.kind for example in examples if example.is_misread)),
        "made_by": dict(Counter(example.tool for example in examples)),
        "near_duplicates_among_written_questions": near_duplicates(examples),
        "policies": policy_hashes(shop),
        "material": material_hash(shop.folder),
        "plan": recipe.data.model_dump(mode="json"),
        "licence": LICENCE,
    }


def material_hash(folder: Path) -> str:
    """sha256 over the shop's files, names included; not of its adapter, which is what is made of them."""
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not name.parts[0].startswith("adapter"):
            digest.update(f"{name.as_posix()}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()


def has_unfinished_run(shop: Shop, recipe: Recipe, folder: Path) -> bool:
    """Whether a killed training lies in a folder, with its training set, of this recipe and the shop as it is now."""
    card = folder / DATA_CARD
    if not card.is_file() or not any(folder.glob("checkpoint-*")):
        return False
    made = json.loads(card.read_text(encoding="utf-8"))
    now = (recipe.seed, recipe.data.model_dump(mode="json"), material_hash(shop.folder), sha256_of(folder / EXAMPLES))
    return (made.get("seed"), made.get("plan"), made.get("material"), made.get("sha256")) == now


def policy_hashes(shop: Shop) -> dict[str, str]:
    return {section.id: section_hash(section) for section in shop.policies}


def train_adapter(
    shop: Shop,
    prompts: Mapping[str, RolePrompt],
    recipe: Recipe,
    base: Path,
    folder: Path,
    now: datetime,
    progress: Progress,
) -> Path:
    """Train on the examples in `folder`, and return the adapter's folder with its card and loss curve."""
    from finetune.curve import draw_losses
    from finetune.train import train

    path = folder / EXAMPLES
    if not path.is_file():
        raise DatasetError(f"{folder} has no {EXAMPLES}; run first: shopbot finetune data")
    examples = read_examples(path)
    run = train(recipe, base, examples, folder, progress)
    adapter = folder / "adapter"
    (adapter / "README.md").unlink(missing_ok=True)  # peft's empty model card; ours is card.json
    card = _adapter_card(shop, examples, prompts, recipe, run, adapter, sha256_of(path), now)
    (adapter / CARD).write_text(card.model_dump_json(indent=1), encoding="utf-8")
    draw_losses(run.losses, run.validation_losses, adapter / "losses.png")
    return adapter


def _adapter_card(
    shop: Shop,
    examples: Sequence[TrainingExample],
    prompts: Mapping[str, RolePrompt],
    recipe: Recipe,
    run: "TrainingRun",
    adapter: Path,
    data_sha256: str,
    now: datetime,
) -> AdapterCard:
    return AdapterCard(
        name=f"{shop.folder.name}-{recipe.name}",
        shop=shop.config.name,
        base=recipe.base,
        base_sha256=BASE_MODEL.sha256,
        weights_sha256=sha256_of(adapter / WEIGHTS),
        data_sha256=data_sha256,
        chat_format_version=CHAT_FORMAT_VERSION,
        prompts={role: prompt.hash for role, prompt in prompts.items()},
        policies=policy_hashes(shop),
        recipe=recipe.model_dump(mode="json"),
        versions={"python": platform.python_version(), **{name: version(name) for name in _VERSIONS}},
        examples=dict(Counter(example.kind for example in examples)),
        left_out=run.left_out,
        steps=run.steps,
        tokens_seen=run.tokens_seen,
        answer_tokens_seen=run.answer_tokens_seen,
        minutes=run.minutes,
        peak_memory_mb=run.peak_memory_mb,
        losses=run.losses,
        validation_losses=run.validation_losses,
        trained_at=now.isoformat(timespec="seconds"),
        licence=LICENCE,
    )
