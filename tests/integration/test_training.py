"""The training loop on a tiny model: it learns, it goes on after a kill, and it refuses what it must not go on with."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from finetune.equality import LEAST_AGREEMENT
from finetune.examples import ANSWER_END, ChatMessage, Kind, TrainingExample, write_examples
from finetune.recipe import Recipe, read_recipe
from shopbot.adapters import WEIGHTS, Adapter
from shopbot.chat_models.convert import dequantised_folder
from shopbot.errors import ConfigError, ModelError
from shopbot.settings import Settings
from tests.unit.test_verify_catalog import SHOP, catalog

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
print("losses from step", run.losses[0][0] if run.losses else None, "to", run.steps, "minutes", run.minutes)
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
    for path in folder.glob("checkpoint-*/trainer_state.json"):  # as if it had taken five minutes until then
        state = json.loads(path.read_text())
        state["log_history"][-1]["minutes"] = 5.0
        path.write_text(json.dumps(state))
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    steps = [int(line.split()[1]) for line in second.stdout.splitlines() if line.startswith("training")]
    assert steps[0] > max(kept) > 0
    assert 5 <= float(second.stdout.rsplit("minutes", 1)[1]) < 10  # those before the kill are counted
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
    with pytest.raises(ConfigError, match=r"there are: .*lora"):
        read_recipe("nothing")


# ---------------------------------------------------------------- what is learnt of an example


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_end_is_learnt_of_every_answer_but_of_one_that_is_only_an_opening(kind: str, tiny_base: Path) -> None:
    from transformers import AutoTokenizer

    from finetune.train import _tokenised

    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_base)
    example = TrainingExample.model_validate(examples()[0].model_dump() | {"kind": kind})
    row = _tokenised(example, tokenizer)
    assert len(row["input_ids"]) == len(row["completion_mask"])
    learnt = [token for token, is_learnt in zip(row["input_ids"], row["completion_mask"], strict=True) if is_learnt]
    end = "" if kind == "policy_opening" else ANSWER_END
    assert tokenizer.decode(learnt) == example.answer + end
    assert row["input_ids"][-len(learnt) :] == learnt


# ---------------------------------------------------------------- long batches


def uneven_examples() -> list[TrainingExample]:
    """Four answers of one to seven sentences: the mean of their parts' means is not their mean."""
    return [
        example.model_copy(update={"answer": " ".join([example.answer] * (2 * number + 1))})
        for number, example in enumerate(examples()[:4])
    ]


@pytest.fixture
def trainer(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A trainer before its first step, all in float32: bfloat16 alone rounds by more than what is compared."""
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer

    from finetune.train import AnswerTrainer, _arguments, _tokenised, _with_adapter

    recipe = Recipe(**RECIPE)
    torch.manual_seed(recipe.seed)
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_base)
    rows = Dataset.from_list([_tokenised(example, tokenizer) for example in uneven_examples()])
    model = _with_adapter(tiny_base, recipe).float()
    for name, weights in model.named_parameters():
        if "lora_B" in name:  # all zero at the start, which would leave no gradient to the As
            torch.nn.init.normal_(weights, std=0.1)
    monkeypatch.setattr("finetune.train.torch.autocast", partial(torch.autocast, enabled=False))
    return AnswerTrainer(
        model=model, args=_arguments(recipe, tmp_path), train_dataset=rows, eval_dataset=rows,
        processing_class=tokenizer,
    )  # fmt: skip


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The (examples, tokens) of every part that a loss was taken of in training."""
    from finetune.train import AnswerTrainer

    seen: list[tuple[int, int]] = []
    compute = AnswerTrainer.compute_loss

    def watched(self: Any, model: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        if model.training:
            seen.append(tuple(inputs["input_ids"].shape))
        return compute(self, model, inputs, *args, **options)

    monkeypatch.setattr(AnswerTrainer, "compute_loss", watched)
    return seen


def step(trainer: Any, micro_tokens: int) -> tuple[float, Any]:
    """Loss and all gradients of one step over the whole batch."""
    import torch

    trainer.micro_tokens = micro_tokens
    (batch,) = trainer.get_train_dataloader()
    trainer.model.zero_grad()
    loss = trainer.training_step(trainer.model, dict(batch), (batch["labels"][:, 1:] != -100).sum())
    found = [weights.grad.flatten() for weights in trainer.model.parameters() if weights.grad is not None]
    return float(loss), torch.cat(found)


@pytest.mark.parametrize("count", [2, 4])
def test_a_batch_in_parts_gives_the_gradients_of_the_whole(
    count: int, trainer: Any, parts: list[tuple[int, int]]
) -> None:
    loss, gradients = step(trainer, 10**6)
    ((size, length),) = parts
    assert size == 4
    split_loss, split_gradients = step(trainer, size * length // count)
    assert [part for part, _ in parts[1:]] == [size // count] * count
    assert gradients.norm() > 0
    assert (split_gradients - gradients).norm() <= 1e-3 * gradients.norm()
    assert split_loss == pytest.approx(loss, rel=1e-3)


def test_in_a_training_every_part_of_several_examples_fits(
    tiny_base: Path, tmp_path: Path, parts: list[tuple[int, int]]
) -> None:
    from finetune.train import train

    recipe = Recipe(**RECIPE, micro_tokens=120)
    train(recipe, tiny_base, examples(), tmp_path, lambda *_: None)
    assert [part for part in parts if part[0] > 1 and part[0] * part[1] > recipe.micro_tokens] == []
    assert len(parts) > steps_of(recipe)


# ---------------------------------------------------------------- is the merged model the adapter's?


@pytest.fixture(scope="module")
def trained(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from finetune.train import train

    folder = tmp_path_factory.mktemp("trained")
    train(Recipe(**RECIPE), tiny_base, examples(), folder, lambda *_: None)
    return folder / "adapter"


def merged(adapter: Path, base: Path, target: Path) -> Path:
    from finetune.export import _merged_folder

    no_card: Any = None
    return _merged_folder(Adapter(adapter, no_card), base, target)


def with_other_weights(adapter: Path, target: Path) -> Path:
    import torch
    from safetensors.torch import load_file, save_file

    path = shutil.copytree(adapter, target) / WEIGHTS
    torch.manual_seed(1)
    tensors = {
        name: torch.randn_like(tensor) if "lora_B" in name else tensor for name, tensor in load_file(path).items()
    }
    save_file(tensors, path, metadata={"format": "pt"})
    return target


def agreement(base: Path, adapter: Path, merged: Path) -> float:
    from finetune.equality import token_agreement

    return token_agreement(base, adapter, merged, [example.prompt for example in examples()[:4]])


def test_a_merged_model_says_what_the_adapter_says_beside_its_base(
    tiny_base: Path, trained: Path, tmp_path: Path
) -> None:
    assert agreement(tiny_base, trained, merged(trained, tiny_base, tmp_path / "merged")) >= LEAST_AGREEMENT


def test_a_model_merged_from_another_adapter_says_something_else(
    tiny_base: Path, trained: Path, tmp_path: Path
) -> None:
    other = with_other_weights(trained, tmp_path / "other")
    assert agreement(tiny_base, trained, merged(other, tiny_base, tmp_path / "merged")) < LEAST_AGREEMENT


def test_the_base_alone_is_no_merged_model(tiny_base: Path, trained: Path) -> None:
    assert agreement(tiny_base, trained, tiny_base) < LEAST_AGREEMENT


def test_an_export_that_is_refused_takes_no_other_files_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is the user's: `shopbot finetune export .`"""
    from finetune.export import export

    monkeypatch.setattr("finetune.export.merged_gguf", lambda base, adapter, target: target)
    monkeypatch.setattr("finetune.export._merged_folder", lambda adapter, base, target: target)
    monkeypatch.setattr("finetune.export.token_agreement", lambda *_: 0.5)
    (tmp_path / "mine.txt").write_text("kept")
    adapter: Any = SimpleNamespace(id="tiny", folder=tmp_path)
    with pytest.raises(ModelError):
        export(adapter, tmp_path, tmp_path, tmp_path, [], lambda *_: None)
    assert [path.name for path in tmp_path.glob("*")] == ["mine.txt"]


def test_an_export_is_tried_with_policies_from_memory_and_facts_over_cards(tmp_path: Path) -> None:
    """The prompts are those that the served model gets, records and hints included."""
    from app.training import TRIALS, Training

    settings = Settings(_env_file=None, home=tmp_path)  # type: ignore[call-arg]
    training = Training(settings, SHOP, list(catalog()[0].values()), {}, Recipe(**RECIPE), tmp_path)
    prompts = training._trial_prompts()
    said = [prompt[-1].content for prompt in prompts]
    assert {tuple(message.role for message in prompt) for prompt in prompts} == {("system", "user")}
    assert len(said) == 2 * TRIALS
    assert [text for text in said[:TRIALS] if not re.fullmatch(r"Sections: [a-z.-]+\nQuestion: .+", text)] == []
    card = r"Records:\n\[1\] (.+): weight; price, stock, sizes, colors\nQuestion: What does the \1 weigh\?"
    assert [text for text in said[TRIALS:] if not re.fullmatch(card, text)] == []
