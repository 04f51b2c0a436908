"""OpenVINO GenAI on a GGUF file: the embedded default, measured fastest on CPU (docs/adr/0006)."""

import threading
from collections.abc import Iterator
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

CHATML_END = "<|im_end|>"
# Left to itself OpenVINO computes in bfloat16 where the processor has AMX: the same greedy prompt then gave two texts,
# an arm's fingerprint depended on the machine, and answers took 1.4 times as long.
PRECISION = "f32"


class OpenVinoChatModel(BaseChatModel):
    """A chat model in this process.

    One generation at a time: the pipeline refuses overlapping calls (openvino.genai#2480), so a second
    one waits. Per call: `temperature`, `top_p`, `max_tokens`, `min_new_tokens`, `ignore_eos`, `stop`, `seed`,
    `grammar`. Sampling (temperature above 0) starts from the seed, so it is repeatable, too.
    """

    pipeline: Any = Field(exclude=True, repr=False)
    _tokenizer: Any = PrivateAttr()
    _one_at_a_time: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def load(cls, gguf: Path, device: str = "CPU") -> Self:
        """Load a GGUF file; takes about 3 s for 135M parameters.

        Raises ModelError if OpenVINO cannot read it. The file has to be whole (`check_is_whole`, or a
        hash): OpenVINO 2026.4 ends the process with a segmentation fault on a truncated one.
        """
        import openvino_genai

        try:
            return cls(pipeline=openvino_genai.LLMPipeline(str(gguf), device, INFERENCE_PRECISION_HINT=PRECISION))
        except (
            RuntimeError,
            IndexError,
            ValueError,
            OverflowError,
            MemoryError,
        ) as error:  # C++'s, by pybind11
            raise ModelError(f"OpenVINO cannot load {gguf}: {_last_line(error)}") from error

    def model_post_init(self, context: Any, /) -> None:
        self._tokenizer = self.pipeline.get_tokenizer()

    @property
    def _llm_type(self) -> str:
        return "openvino-genai"

    def render(self, messages: list[BaseMessage]) -> str:
        """Render messages with the model's own chat template, up to where its answer begins."""
        control_tokens = filter(None, (self._tokenizer.get_bos_token(), self._tokenizer.get_eos_token()))
        dicts = to_role_dicts(messages, control_tokens)
        return str(self._tokenizer.apply_chat_template(dicts, add_generation_prompt=True))

    def count_tokens(self, messages: list[BaseMessage]) -> int:
        """Return how many tokens the model reads for these messages, template included."""
        return int(self._encode(messages).input_ids.get_size())

    def _encode(self, messages: list[BaseMessage]) -> Any:
        # The template has written the special tokens already.
        return self._tokenizer.encode(self.render(messages), add_special_tokens=False)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> Iterator[ChatGenerationChunk]:
        config = self._generation_config(**options)

        def generate(emit: Emit) -> Usage:
            with self._one_at_a_time:
                return self._generate_text(messages, config, emit)

        return stream_from_thread(generate, stop or (), "openvino-generate")

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        return reply_of(self._stream(messages, stop, run_manager, **options))

    def _generate_text(self, messages: list[BaseMessage], config: Any, emit: Emit) -> Usage:
        from openvino_genai import StreamingStatus

        def show(piece: str) -> Any:
            return StreamingStatus.RUNNING if emit(piece) else StreamingStatus.CANCEL

        prompt = self._encode(messages)
        if not emit(""):
            return Usage(0, 0)
        metrics = self.pipeline.generate(prompt, config, show).perf_metrics
        return Usage(metrics.get_num_input_tokens(), metrics.get_num_generated_tokens())

    def _generation_config(
        self,
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_tokens: int = 96,
        min_new_tokens: int = 0,
        ignore_eos: bool = False,
        seed: int = 0,
        grammar: str | None = None,
    ) -> Any:
        from openvino_genai import StructuredOutputConfig

        config = self.pipeline.get_generation_config()  # a copy, with the model's own end tokens
        config.apply_chat_template = False
        config.max_new_tokens, config.min_new_tokens = max_tokens, min_new_tokens
        config.stop_token_ids = config.stop_token_ids | self._end_of_turn_ids()
        config.ignore_eos = ignore_eos
        if temperature > 0:
            config.do_sample, config.temperature, config.top_p, config.rng_seed = True, temperature, top_p, seed
        if grammar:
            config.structured_output_config = StructuredOutputConfig(grammar=grammar)
        return config

    def _end_of_turn_ids(self) -> set[int]:
        """Return the id of ChatML's end of turn where the model has one: not every GGUF says so itself."""
        ids = self._tokenizer.encode(CHATML_END, add_special_tokens=False).input_ids.data[0]
        return {int(ids[0])} if len(ids) == 1 else set()


def check_is_whole(gguf: Path) -> None:
    """Raise ModelError if a GGUF file is truncated or none at all; takes 1.6 s, its vocabulary is parsed."""
    from gguf import GGUFReader

    try:
        GGUFReader(gguf)
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise ModelError(f"{gguf} is not a whole GGUF file: {error}") from error


def _last_line(error: Exception) -> str:
    """Return what went wrong without the C++ source location that OpenVINO puts first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
