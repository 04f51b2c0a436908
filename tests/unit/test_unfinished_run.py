"""After a kill `finetune all` goes on with the training set that it had, while it is still that of the shop."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from finetune.pipeline import DATA_CARD, EXAMPLES, has_unfinished_run, material_hash
from finetune.recipe import DataPlan, Recipe

RECIPE = Recipe(name="lora", seed=3, data=DataPlan(facts=1))


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    folder = tmp_path / "shop"
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "returns.md").write_text("45 days")
    return SimpleNamespace(folder=folder)


@pytest.fixture
def run(shop: Any, tmp_path: Path) -> Path:
    """A folder as a killed training leaves it."""
    folder = tmp_path / "run"
    (folder / "checkpoint-200").mkdir(parents=True)
    (folder / EXAMPLES).write_text("{}\n")
    card = {
        "seed": 3, "plan": RECIPE.data.model_dump(mode="json"), "material": material_hash(shop.folder),
        "sha256": sha256(b"{}\n").hexdigest(),
    }  # fmt: skip
    (folder / DATA_CARD).write_text(json.dumps(card))
    return folder


def test_its_set_is_gone_on_with(shop: Any, run: Path) -> None:
    assert has_unfinished_run(shop, RECIPE, run)


def test_a_new_adapter_in_the_shops_folder_is_no_new_material(shop: Any, run: Path) -> None:
    (shop.folder / "adapter").mkdir()
    (shop.folder / "adapter" / "card.json").write_text("{}")
    assert has_unfinished_run(shop, RECIPE, run)


@pytest.mark.parametrize(
    "change",
    [
        lambda shop, run: (shop.folder / "policies" / "returns.md").write_text("30 days"),
        lambda shop, run: (shop.folder / "policies" / "returns.md").rename(shop.folder / "returns.md"),
        lambda shop, run: (run / EXAMPLES).write_text("{}\n{}\n"),
        lambda shop, run: (run / "checkpoint-200").rmdir(),
        lambda shop, run: (run / DATA_CARD).unlink(),
    ],
    ids=["a policy changed", "a file moved", "other examples", "no checkpoint", "no card"],
)
def test_otherwise_it_is_made_anew(change: Callable[[Any, Path], object], shop: Any, run: Path) -> None:
    change(shop, run)
    assert not has_unfinished_run(shop, RECIPE, run)


@pytest.mark.parametrize("other", [{"seed": 4}, {"data": DataPlan(facts=2)}])
def test_another_seed_or_plan_makes_it_anew(other: dict[str, Any], shop: Any, run: Path) -> None:
    assert not has_unfinished_run(shop, RECIPE.model_copy(update=other), run)
