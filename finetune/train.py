"""Train an adapter by a recipe: loss on the answer only, batches of similar length, resumable, with a card.

The trainer is trl's; what is ours is how the loss is computed. On a CPU that is where the time goes: logits of 49,152
words for prompt tokens that nobody is scored on, and casts between precisions. Hence frozen weights in bfloat16, the
low-rank ones in float32 under autocast, and logits of answer tokens only (figures: docs/results/training.md).
"""

import json
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from peft.helpers import disable_input_dtype_casting
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    EarlyStoppingCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from finetune.examples import ANSWER_END, TrainingExample
from finetune.recipe import Recipe
from shopbot.chat_models.transformers import no_progress_bars
from shopbot.errors import ConfigError

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TrainingRun:
    """What a finished run tells; losses are (step, nats a token)."""

    losses: list[tuple[int, float]]
    validation_losses: list[tuple[int, float]]
    steps: int
    tokens_seen: int
    answer_tokens_seen: int
    left_out: int
    minutes: float
    peak_memory_mb: float


def train(
    recipe: Recipe, base: Path, examples: Sequence[TrainingExample], folder: Path, progress: Progress
) -> TrainingRun:
    """Train, and leave the adapter in `folder/adapter`; a run that was killed goes on from its last checkpoint.

    Raises ConfigError where the folder holds a run of another recipe or other data.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _check_same_run(folder, recipe, examples)
    torch.manual_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    used = examples[: round(len(examples) * recipe.data_share)]  # they come shuffled
    rows = [_tokenised(example, tokenizer) for example in used]
    kept = [row for row in rows if len(row["input_ids"]) <= recipe.max_tokens]
    training, validation = _split(kept, recipe)
    clock = _Clock(recipe.max_minutes)
    trainer = AnswerTrainer(
        model=_with_adapter(base, recipe),
        args=_arguments(recipe, folder),
        train_dataset=Dataset.from_list(training),
        eval_dataset=Dataset.from_list(validation),
        processing_class=tokenizer,
        callbacks=[_Reporter(progress), clock, EarlyStoppingCallback(recipe.patience)],
    )
    trainer.micro_tokens = recipe.micro_tokens
    with _MemoryWatch() as memory, no_progress_bars():
        trainer.train(resume_from_checkpoint=_has_checkpoint(folder))
    model: Any = trainer.model
    model.to(torch.bfloat16).save_pretrained(folder / "adapter")
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    return _told(trainer.state, training, len(rows) - len(kept), clock.minutes, memory.peak_mb)


class AnswerTrainer(SFTTrainer):
    """trl's trainer with the loss on answer tokens alone, logits of nothing else, and long batches in parts."""

    micro_tokens = 1600

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Halve a batch until its part fits `micro_tokens`, padding included: that is what memory follows."""
        size = inputs["input_ids"].shape[0]
        if size == 1 or inputs["input_ids"].numel() <= self.micro_tokens or num_items_in_batch is None:
            loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)  # type: ignore[no-untyped-call]
            return loss
        parts = (
            {key: value[place] for key, value in inputs.items()} for place in (slice(size // 2), slice(size // 2, size))
        )
        losses = [self.training_step(model, part, num_items_in_batch) for part in parts]
        return losses[0] + losses[1]

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        causal = model.get_base_model()
        targets = inputs["labels"][:, 1:]
        is_scored = targets != -100
        with disable_input_dtype_casting(model), torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = causal.model(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
            ).last_hidden_state
            logits = causal.lm_head(hidden[:, :-1][is_scored])
        loss = torch.nn.functional.cross_entropy(logits.float(), targets[is_scored], reduction="sum")
        loss = loss / (is_scored.sum() if num_items_in_batch is None else num_items_in_batch)
        return (loss, {}) if return_outputs else loss


def _tokenised(example: TrainingExample, tokenizer: Any) -> dict[str, list[int]]:
    """Token ids of prompt and answer; `completion_mask` is 1 for the answer's, its end included."""
    prompt = tokenizer.apply_chat_template(
        [message.model_dump() for message in example.prompt], add_generation_prompt=True, return_dict=False
    )
    answer = tokenizer(example.answer + ("" if example.is_opening else ANSWER_END), add_special_tokens=False).input_ids
    return {"input_ids": prompt + answer, "completion_mask": [0] * len(prompt) + [1] * len(answer)}


def _split(rows: list[dict[str, Any]], recipe: Recipe) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every n-th example validates; the examples come shuffled."""
    every = round(1 / recipe.validation_share)
    return [row for n, row in enumerate(rows) if n % every], [row for n, row in enumerate(rows) if n % every == 0]


def _with_adapter(base: Path, recipe: Recipe) -> Any:
    with no_progress_bars():
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16, attn_implementation="eager")
    targets = recipe.lora.target_modules
    options = LoraConfig(
        r=recipe.lora.r,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, options)


def _arguments(recipe: Recipe, folder: Path) -> SFTConfig:
    return SFTConfig(
        output_dir=str(folder),
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=False,  # precision is set in the loss
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=max(1, recipe.batch_size // 2),
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup_share,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        train_sampling_strategy="group_by_length",
        gradient_checkpointing=False,
        max_length=None,
        completion_only_loss=True,
        prediction_loss_only=True,
        logging_steps=10,
        eval_strategy="steps",
        eval_steps=recipe.checkpoint_every,
        save_strategy="steps",
        save_steps=recipe.checkpoint_every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
    )


def _has_checkpoint(folder: Path) -> bool:
    return any((path / "trainer_state.json").is_file() for path in folder.glob("checkpoint-*"))


def _check_same_run(folder: Path, recipe: Recipe, examples: Sequence[TrainingExample]) -> None:
    """A checkpoint goes on only with the recipe and the data that it began with."""
    path = folder / "run.json"
    run = {"recipe": recipe.model_dump(mode="json"), "examples": [example.id for example in examples]}
    text = json.dumps(run)
    if path.is_file() and path.read_text(encoding="utf-8") != text and _has_checkpoint(folder):
        raise ConfigError(
            f"{folder} holds an unfinished run of another recipe or other data; delete it, or choose another folder"
        )
    path.write_text(text, encoding="utf-8")


def _told(
    state: TrainerState, training: Sequence[dict[str, Any]], left_out: int, minutes: float, peak_mb: float
) -> TrainingRun:
    share = state.epoch or 0.0
    return TrainingRun(
        losses=[(int(row["step"]), row["loss"]) for row in state.log_history if "loss" in row],
        validation_losses=[(int(row["step"]), row["eval_loss"]) for row in state.log_history if "eval_loss" in row],
        steps=state.global_step,
        tokens_seen=round(share * sum(len(row["input_ids"]) for row in training)),
        answer_tokens_seen=round(share * sum(sum(row["completion_mask"]) for row in training)),
        left_out=left_out,
        minutes=round(minutes, 1),
        peak_memory_mb=round(peak_mb),
    )


class _Reporter(TrainerCallback):
    """Tells the progress of the steps; whoever shows it works out the time that is left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._progress("training", state.global_step, state.max_steps)


class _Clock(TrainerCallback):
    """Counts the minutes of a training, and ends it in an orderly way when its time is up.

    They stand in the log that every checkpoint has, so that those before a kill count, too.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._before, self._started = 0.0, time.monotonic()

    @property
    def minutes(self) -> float:
        return self._before + (time.monotonic() - self._started) / 60

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._before = max((row.get("minutes", 0.0) for row in state.log_history), default=0.0)
        self._started = time.monotonic()

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        state.log_history[-1]["minutes"] = self.minutes

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        control.should_training_stop = control.should_training_stop or self.minutes > self._most


class _MemoryWatch:
    """The highest resident memory of this process, looked at every half second."""

    peak_mb = 0.0

    def __enter__(self) -> "_MemoryWatch":
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._over.wait(0.5):
            self.peak_mb = max(self.peak_mb, process.memory_info().rss / 1e6)
