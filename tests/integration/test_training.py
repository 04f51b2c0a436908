"""The training loop on a tiny model: it learns, it goes on after a kill, and it refuses what it must not go on with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from finetune.examples import ChatMessage, TrainingExample, write_examples
from finetune.recipe import Recipe, read_recipe
from shopbot.chat_models.convert import dequantised_folder
from shopbot.errors import ConfigError

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
COUNT = 64
RECIPE = {"name": "tiny", "batch_size": 4, "checkpoint_every": 3, "learning_rate": 5e-3, "validation_share": 0.1}


@pytest.fixture(scope="module")
def tiny_base(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A llama of two thin layers with the packaged model's tokenizer."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer: Any = AutoTokenizer.from_pretrained(dequantised_folder(cache))
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("base")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def examples() -> list[TrainingExample]:
    return [
        TrainingExample(
            id=f"e{number}",
            kind="product",
            role="product",
            tool="patterns",
            question=f"weight of number {number}?",
            prompt=(ChatMessage(role="user", content=f"Question: weight of number {number}?"),),
            answer="It weighs {1.weight}.",
        )
        for number in range(COUNT)
    ]


def steps_of(recipe: Recipe) -> int:
    kept = COUNT - len(range(0, COUNT, round(1 / recipe.validation_share)))
    return -(-kept // recipe.batch_size)


def test_it_learns_and_says_what_it_took(tiny_base: Path, tmp_path: Path) -> None:
    from finetune.train import train

    told: list[tuple[str, int, int]] = []
    recipe = Recipe(**RECIPE)
    run = train(recipe, tiny_base, examples(), tmp_path, lambda *progress: told.append(progress))
    assert run.validation_losses[-1][1] < run.validation_losses[0][1]
    assert (run.steps, told[-1]) == (steps_of(recipe), ("training", steps_of(recipe), steps_of(recipe)))
    assert 0 < run.answer_tokens_seen < run.tokens_seen
    assert sorted(path.name for path in (tmp_path / "adapter").glob("adapter_*")) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert list(tmp_path.glob("checkpoint-*")) == []


KILLED = """
import sys
from pathlib import Path
from finetune.examples import read_examples
from finetune.recipe import Recipe
from finetune.train import train
recipe, base, data, folder = sys.argv[1:]
run = train(Recipe.model_validate_json(recipe), Path(base), read_examples(Path(data)), Path(folder), print)
print("losses from step", run.losses[0][0] if run.losses else None, "to", run.steps)
"""


def test_a_killed_run_goes_on_from_its_last_checkpoint(tiny_base: Path, tmp_path: Path) -> None:
    data, folder = tmp_path / "examples.jsonl", tmp_path / "run"
    write_examples(examples(), data)
    recipe = Recipe(**RECIPE, epochs=2).model_dump_json()
    command = [sys.executable, "-W", "ignore", "-c", KILLED, recipe, str(tiny_base), str(data), str(folder)]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    ends = time.monotonic() + 120
    while not list(folder.glob("checkpoint-*/trainer_state.json")) and time.monotonic() < ends:
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    kept = [json.loads(p.read_text())["global_step"] for p in folder.glob("checkpoint-*/trainer_state.json")]
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    steps = [int(line.split()[1]) for line in second.stdout.splitlines() if line.startswith("training")]
    assert steps[0] > max(kept) > 0
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()


def test_a_run_of_another_recipe_is_not_gone_on_with(tiny_base: Path, tmp_path: Path) -> None:
    from finetune.train import train

    (tmp_path / "checkpoint-3").mkdir()
    (tmp_path / "checkpoint-3" / "trainer_state.json").write_text("{}")
    (tmp_path / "run.json").write_text("of another recipe")
    with pytest.raises(ConfigError, match="another recipe or other data"):
        train(Recipe(**RECIPE), tiny_base, examples(), tmp_path, lambda *_: None)


def test_a_recipe_with_a_wrong_key_names_it(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("name: wrong\nlearning_rate: -1\nrank: 8\n")
    with pytest.raises(ConfigError, match=r"(?s)learning_rate.*rank"):
        read_recipe(str(path))


def test_an_unknown_recipe_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="there are: lora"):
        read_recipe("nothing")
