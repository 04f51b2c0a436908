"""What tuning costs: perplexity on general prose and simple general questions, before and after."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evals.cases import FOLDER
from shopbot.types import Frozen


class Question(Frozen):
    """A prompt with possible continuations; `answer` is the index of the right one."""

    id: str
    prompt: str
    choices: tuple[str, ...]
    answer: int


class Score(NamedTuple):
    """Perplexity a token of the prose, and for each question whether its right continuation is the likeliest."""

    perplexity: float
    right: list[bool]


def general_score(base: Path, adapter: Path | None) -> Score:
    """Score the base in float32, with the adapter merged into it where there is one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from shopbot.chat_models.transformers import merged, no_progress_bars

    with no_progress_bars():
        model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        tokenizer: Any = AutoTokenizer.from_pretrained(base)
    model = (model if adapter is None else merged(model, adapter)).eval()
    with torch.no_grad():
        return Score(_perplexity(model, tokenizer), [_is_right(model, tokenizer, item) for item in questions()])


def questions() -> list[Question]:
    lines = (FOLDER / "general.jsonl").read_text(encoding="utf-8").splitlines()
    return [Question.model_validate(json.loads(line)) for line in lines]


def _perplexity(model: Any, tokenizer: Any) -> float:
    """exp of the mean loss over the paragraphs, weighted by their tokens."""
    total, count = 0.0, 0
    for paragraph in (FOLDER / "general.txt").read_text(encoding="utf-8").split("\n\n"):
        ids = tokenizer(paragraph.strip(), return_tensors="pt").input_ids
        if ids.shape[1] < 2:
            continue
        loss = model(input_ids=ids, labels=ids).loss.item()
        total += loss * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    return math.exp(total / count)


def _is_right(model: Any, tokenizer: Any, question: Question) -> bool:
    scores = [_log_likelihood(model, tokenizer, question.prompt, choice) for choice in question.choices]
    return scores.index(max(scores)) == question.answer


def _log_likelihood(model: Any, tokenizer: Any, prompt: str, choice: str) -> float:
    """Mean log-probability a token of the continuation."""
    import torch

    start = len(tokenizer(prompt).input_ids)
    ids = tokenizer(prompt + choice, return_tensors="pt").input_ids
    logits = model(input_ids=ids).logits[0, start - 1 : -1]
    taken = torch.log_softmax(logits, dim=-1).gather(1, ids[0, start:, None])
    return float(taken.mean())


def table(before: Score, after: Score) -> str:
    """The cost as Markdown."""
    from evals.metrics import interval, paired_interval

    first, second = ([float(right) for right in score.right] for score in (before, after))
    figures: Sequence[str] = [
        "{:.1f} % ({:.0f} to {:.0f} %)".format(*(100 * v for v in interval(values))) for values in (first, second)
    ]
    change = "{:+.1f} points ({:+.1f} to {:+.1f})".format(*(100 * v for v in paired_interval(first, second)))
    ratio = after.perplexity / before.perplexity
    return "\n".join(
        [
            "## What tuning costs: general text and questions",
            "",
            "| | base | tuned | change |",
            "|---|---|---|---|",
            f"| perplexity on general prose | {before.perplexity:.2f} | {after.perplexity:.2f} | {ratio:.2f} times |",
            f"| {len(first)} general questions right | {figures[0]} | {figures[1]} | {change} |",
        ]
    )
