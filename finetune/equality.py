"""Is the merged model the adapter's? Greedy answers of both, token by token."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.examples import ANSWER_END, ChatMessage
from shopbot.chat_models.transformers import no_progress_bars

Prompt = Sequence[ChatMessage]
LEAST_AGREEMENT = 0.99
MOST_TOKENS = 120


def token_agreement(base: Path, adapter: Path, merged: Path, prompts: Sequence[Prompt]) -> float:
    """Share of the greedy tokens, 0..1, that base with adapter and merged model have in common, both in float32.

    Tokens are compared place by place up to the length of the longer answer, so one early difference counts as many.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with no_progress_bars(), torch.no_grad():
        tokenizer: Any = AutoTokenizer.from_pretrained(base)
        models: list[Any] = [
            PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter),
            AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32),
        ]
        first, second = ([_greedy(model.eval(), tokenizer, prompt) for prompt in prompts] for model in models)
    same = sum(a == b for one, other in zip(first, second, strict=True) for a, b in zip(one, other, strict=False))
    return same / max(1, sum(max(len(one), len(other)) for one, other in zip(first, second, strict=True)))


def _greedy(model: Any, tokenizer: Any, prompt: Prompt) -> list[int]:
    inputs = tokenizer.apply_chat_template(
        [message.model_dump() for message in prompt], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    end = tokenizer.convert_tokens_to_ids(ANSWER_END)
    written = model.generate(**inputs, max_new_tokens=MOST_TOKENS, do_sample=False, eos_token_id=end, pad_token_id=end)
    tokens: list[int] = written[0, inputs["input_ids"].shape[1] :].tolist()
    return tokens
