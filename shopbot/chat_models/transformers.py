"""Any Hugging Face model, with or without a LoRA adapter: slower than OpenVINO on CPU, at home on GPU."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import Field, PrivateAttr

from shopbot.chat_models.chat_messages import to_role_dicts
from shopbot.chat_models.token_stream import Emit, Usage, reply_of, stream_from_thread
from shopbot.errors import ModelError

REPLACEMENT = "\ufffd"


class TransformersChatModel(BaseChatModel):
    """A chat model in this process, safe to call from several threads.

    Per call: `temperature`, `top_p`, `max_tokens`, `min_new_tokens`, `ignore_eos`, `stop`, `seed`. A fast
    tokenizer raises "Already borrowed" when two threads use it (transformers#47085), hence its lock.
    """

    model: Any = Field(exclude=True, repr=False)
    tokenizer: Any = Field(exclude=True, repr=False)
    _tokenizer_lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def load(
        cls,
        source: str | Path,
        adapter: Path | None = None,
        dtype: str = "bfloat16",
        device: str | None = None,
    ) -> Self:
        """Load a Hugging Face id or folder, on the GPU if there is one.

        An adapter is merged into the weights at once: what serves cannot change later (PEFT's switches
        are process-global, peft#804), and it decodes faster. Raises ModelError if loading fails.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            with no_progress_bars():
                model: Any = AutoModelForCausalLM.from_pretrained(str(source), dtype=getattr(torch, dtype))
                tokenizer = AutoTokenizer.from_pretrained(str(source))
                model = model if adapter is None else merged(model, adapter)
        except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
            raise ModelError(f"transformers cannot load {source}: {first_line(error)}") from error
        return cls(model=model.to(device).eval(), tokenizer=tokenizer)

    @property
    def _llm_type(self) -> str:
        return "transformers"

    def encode(self, messages: list[BaseMessage]) -> Any:
        """Render messages with the model's own chat template; returns (1, n) int64 ids and their mask.

        Raises ModelError if the model has no chat template (a base model, not an instruct model).
        """
        with self._tokenizer_lock:
            if self.tokenizer.chat_template is None:
                raise ModelError(f"{self.tokenizer.name_or_path} has no chat template; take an instruct model")
            dicts = to_role_dicts(messages, self.tokenizer.all_special_tokens)
            return self.tokenizer.apply_chat_template(
                dicts, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> Iterator[ChatGenerationChunk]:
        config = self._generation_config(**options)

        def generate(emit: Emit) -> Usage:
            return self._generate_text(messages, config, emit)

        return stream_from_thread(generate, stop or (), "transformers-generate")

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        return reply_of(self._stream(messages, stop, run_manager, **options))

    def _generate_text(self, messages: list[BaseMessage], config: Any, emit: Emit) -> Usage:
        from transformers import StoppingCriteriaList

        inputs = self.encode(messages).to(self.model.device)
        text = _TokenText(self._decode, emit)
        self.model.generate(
            **inputs,
            generation_config=config,
            streamer=text,
            stopping_criteria=StoppingCriteriaList([text.stopping_criterion]),
        )
        return Usage(int(inputs["input_ids"].shape[1]), len(text.token_ids))

    def _decode(self, token_ids: list[int]) -> str:
        with self._tokenizer_lock:
            return str(self.tokenizer.decode(token_ids, skip_special_tokens=True))

    def _generation_config(
        self,
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_tokens: int = 96,
        min_new_tokens: int = 0,
        ignore_eos: bool = False,
        seed: int | None = None,
    ) -> Any:
        import transformers

        if seed is not None:
            transformers.set_seed(seed)  # of the whole process: `generate` takes no generator of its own

        new_config: Any = transformers.GenerationConfig  # not typed
        sampling = {"do_sample": True, "temperature": temperature, "top_p": top_p} if temperature > 0 else {}
        own = self.model.generation_config
        return new_config(
            max_new_tokens=max_tokens,
            min_new_tokens=max_tokens if ignore_eos else min_new_tokens,
            eos_token_id=own.eos_token_id,
            pad_token_id=own.pad_token_id if own.pad_token_id is not None else self.tokenizer.eos_token_id,
            **sampling,
        )


class _TokenText:
    """A streamer for `generate` that turns token ids into text.

    In place of TextIteratorStreamer, which hangs its reader if generate raises. Text is decoded from the
    last emitted token on, and kept back while it ends in half a character.
    """

    def __init__(self, decode: Callable[[list[int]], str], emit: Emit) -> None:
        self._decode = decode
        self._emit = emit
        self._prompt_seen = False
        self._context = 0  # the first token of the text that was emitted last
        self._pending = 0  # the first token not emitted yet
        self._wanted = True
        self.token_ids: list[int] = []

    def put(self, value: Any) -> None:
        """Take the next ids, shape (1,) or (1, n); the first call brings the prompt."""
        if not self._prompt_seen:
            self._prompt_seen = True
            self._wanted = self._emit("")
            return
        self.token_ids.extend(value.flatten().tolist())
        self._emit_complete_text()

    def end(self) -> None:
        """Drop what is left: it is half a character."""

    def stopping_criterion(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Say, for the batch's one row, whether to stop; a (1,) bool tensor."""
        import torch

        return torch.full((input_ids.shape[0],), not self._wanted, device=input_ids.device, dtype=torch.bool)

    def _emit_complete_text(self) -> None:
        # Decoded together with the text before it: sentencepiece models drop a leading space.
        before = self._decode(self.token_ids[self._context : self._pending])
        text = self._decode(self.token_ids[self._context :])
        if len(text) > len(before) and not text.endswith(REPLACEMENT):
            self._wanted = self._emit(text[len(before) :])
            self._context, self._pending = self._pending, len(self.token_ids)


def merged(model: Any, adapter: Path) -> Any:
    """Return `model` with a LoRA adapter's weights added into its own; raises ValueError on NaN."""
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Keep transformers' progress bars out of a server's log; process-global while it lasts."""
    import transformers

    logging: Any = transformers.utils.logging  # not typed
    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()


def first_line(error: Exception) -> str:
    """Return the part of a library's message that fits a line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
