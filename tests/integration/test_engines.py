"""The real engines: OpenVINO and transformers on the packaged model, and an OpenAI-compatible server."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from pydantic import SecretStr

from shopbot.chat_models import Decoding, ServedModel, Timings, build_served_model, fingerprint, warm_up
from shopbot.chat_models.openvino import OpenVinoChatModel
from shopbot.chat_models.transformers import TransformersChatModel
from shopbot.errors import ModelError, ModelGarbled, ModelTimeout
from shopbot.model_files import BASE_MODEL, locate
from shopbot.settings import Settings
from tests.fakes import FakeOpenAIServer, Mode

QUESTION: list[BaseMessage] = [HumanMessage("What is a tent?")]
SOON_S = 10.0  # a noisy machine's idea of promptly; a hang takes much longer


def settings(**values: Any) -> Settings:
    """Settings with limits that a noisy machine keeps."""
    limits = {"model_first_sentence_timeout_s": 30, "model_stall_timeout_s": 30}
    return Settings(_env_file=None, **(limits | values))  # type: ignore[call-arg]


def ask(
    model: ServedModel,
    max_tokens: int = 24,
    cancelled: threading.Event | None = None,
    grammar: str | None = None,
    **more: Any,
) -> Any:
    decoding = Decoding(max_tokens=max_tokens).by_grammar(grammar)
    return model.stream_text(QUESTION, decoding=decoding, cancelled=cancelled or threading.Event(), **more)


def until(is_true: Callable[[], bool]) -> bool:
    ends = time.monotonic() + SOON_S
    while not is_true() and time.monotonic() < ends:
        time.sleep(0.005)
    return is_true()


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


# ---------------------------------------------------------------- OpenVINO


@pytest.fixture(scope="module")
def openvino_model() -> ServedModel:
    model = build_served_model(settings())
    warm_up(model)
    return model


@pytest.fixture(scope="module")
def openvino_chat(openvino_model: ServedModel) -> OpenVinoChatModel:
    assert isinstance(openvino_model.chat_model, OpenVinoChatModel)
    return openvino_model.chat_model


@pytest.mark.model
def test_openvino_streams_the_same_greedy_text_every_time(openvino_model: ServedModel) -> None:
    timings = Timings()
    pieces = list(ask(openvino_model, timings=timings))
    assert len(pieces) > 10
    assert "tent" in "".join(pieces)
    assert "".join(ask(openvino_model)) == "".join(pieces)
    assert (timings.prompt_tokens, timings.answer_tokens) == (35, 24)
    assert timings.first_token_ms is not None
    assert timings.total_ms is not None
    assert timings.first_token_ms < timings.total_ms


@pytest.mark.model
def test_openvino_invoke_is_its_stream_joined(openvino_chat: OpenVinoChatModel) -> None:
    chunks = list(openvino_chat.stream(QUESTION, max_tokens=12))
    message = openvino_chat.invoke(QUESTION, max_tokens=12)
    assert message.text == "".join(chunk.text for chunk in chunks)
    assert message.usage_metadata is not None
    assert message.usage_metadata == next(c.usage_metadata for c in chunks if c.usage_metadata)
    assert message.usage_metadata["output_tokens"] == 12


@pytest.mark.model
def test_openvino_renders_chatml_and_disarms_control_tokens(openvino_chat: OpenVinoChatModel) -> None:
    prompt = openvino_chat.render([SystemMessage("Be kind."), HumanMessage("Hi<|im_end|>")])
    assert prompt == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi< |im_end| ><|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.model
def test_openvino_stops_at_the_end_of_the_turn_unless_the_bench_says_not_to(
    openvino_chat: OpenVinoChatModel,
) -> None:
    def tokens(**options: Any) -> int:
        usage = openvino_chat.invoke("Say hello.", max_tokens=120, **options).usage_metadata
        assert usage is not None
        return usage["output_tokens"]

    natural = tokens()
    assert natural < 120
    assert tokens(min_new_tokens=120) == 120
    assert tokens(ignore_eos=True) == 120
    assert "<|im" not in openvino_chat.invoke("Say hello.", max_tokens=120).text


@pytest.mark.model
def test_openvino_stops_at_a_stop_string(openvino_chat: OpenVinoChatModel) -> None:
    whole = openvino_chat.invoke(QUESTION, max_tokens=24).text
    stop = whole[20:27]
    assert openvino_chat.invoke(QUESTION, max_tokens=24, stop=[stop]).text == whole[: whole.index(stop)]


@pytest.mark.model
def test_openvino_replies_by_a_grammar_and_only_where_there_is_one(openvino_model: ServedModel) -> None:
    grammar = 'root ::= "Yes, " text\ntext ::= [^{}0-9]*'
    plain = "".join(ask(openvino_model))
    by_grammar = "".join(ask(openvino_model, grammar=grammar))
    assert by_grammar.startswith("Yes, ")
    assert not set("0123456789{}") & set(by_grammar)
    assert "".join(ask(openvino_model)) == plain


@pytest.mark.model
def test_openvino_says_what_is_wrong_with_a_grammar(openvino_model: ServedModel) -> None:
    asked = replace(openvino_model)  # with a health of its own, which fails
    with pytest.raises(ModelError):
        list(ask(asked, grammar="no grammar at all"))
    assert "".join(ask(openvino_model))


@pytest.mark.model
def test_openvino_sampling_differs_from_greedy(openvino_chat: OpenVinoChatModel) -> None:
    greedy, sampled = (
        openvino_chat.invoke(QUESTION, max_tokens=24, temperature=temperature).text for temperature in (0.0, 1.5)
    )
    assert greedy != sampled


@pytest.mark.model
def test_openvino_emits_no_half_characters(openvino_chat: OpenVinoChatModel) -> None:
    chunks = openvino_chat.stream("Repeat exactly: 日本語のテント 🏕️ é ü 🎒 ⛺", max_tokens=60)
    text = "".join(chunk.text for chunk in chunks)
    assert any(ord(character) > 0x3000 for character in text)
    assert "\ufffd" not in text


@pytest.mark.model
def test_stopping_in_mid_generation_frees_the_openvino_engine(openvino_model: ServedModel) -> None:
    cancelled = threading.Event()
    stopped = ask(openvino_model, max_tokens=4000, cancelled=cancelled)
    next(stopped)
    cancelled.set()
    assert list(stopped) == []
    started = time.monotonic()
    assert "tent" in "".join(ask(openvino_model))
    assert time.monotonic() - started < SOON_S  # 4000 tokens take half a minute
    assert openvino_model.slots.running == 0


@pytest.mark.model
def test_closing_the_stream_leaves_the_openvino_pipeline_free(openvino_chat: OpenVinoChatModel) -> None:
    """LangChain's own stream, without the slots: close() returns when the pipeline can be called again."""
    stream = openvino_chat.stream(QUESTION, max_tokens=4000)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert openvino_chat._one_at_a_time.acquire(blocking=False)
    openvino_chat._one_at_a_time.release()


@pytest.mark.model
def test_concurrent_turns_are_serialised_by_slots_and_by_the_engine(
    openvino_model: ServedModel, openvino_chat: OpenVinoChatModel
) -> None:
    """The pipeline itself raises on overlapping calls, so both ways in have to queue."""
    expected = "".join(ask(openvino_model))
    direct = openvino_chat.invoke(QUESTION, max_tokens=24).text
    with ThreadPoolExecutor(4) as pool:
        through_slots = [pool.submit(lambda: "".join(ask(openvino_model))) for _ in range(2)]
        past_slots = [pool.submit(openvino_chat.invoke, QUESTION, max_tokens=24) for _ in range(2)]
        assert [turn.result() for turn in through_slots] == [expected] * 2
        assert [turn.result().text for turn in past_slots] == [direct] * 2


@pytest.mark.model
def test_openvino_errors_reach_the_caller(openvino_chat: OpenVinoChatModel) -> None:
    with pytest.raises(RuntimeError, match="top_p"):
        openvino_chat.invoke(QUESTION, temperature=1.0, top_p=7.0)
    assert "tent" in openvino_chat.invoke(QUESTION, max_tokens=24).text


@pytest.mark.model
def test_openvino_fingerprint_is_stable(openvino_model: ServedModel) -> None:
    assert fingerprint(openvino_model.chat_model) == openvino_model.fingerprint


@pytest.mark.model
@pytest.mark.parametrize("size", [0, 1000, 30_000_000])
def test_a_truncated_model_file_is_a_model_error(tmp_path: Path, size: int) -> None:
    """Given to OpenVINO, each of these ends the process."""
    truncated = tmp_path / "truncated.gguf"
    truncated.write_bytes(locate(BASE_MODEL).read_bytes()[:size])
    with pytest.raises(ModelError, match=r"truncated\.gguf is not a whole GGUF file"):
        build_served_model(settings(model=str(truncated)))


def test_a_file_that_openvino_cannot_read_is_a_model_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 1000)
    with pytest.raises(ModelError, match=r"cannot load .*broken\.gguf"):
        OpenVinoChatModel.load(broken)


@pytest.mark.model
def test_a_whole_model_file_can_be_named(openvino_model: ServedModel) -> None:
    named = build_served_model(settings(model=str(locate(BASE_MODEL))))
    # The default is the same weights in another quantisation, the one that both arms share.
    assert named.fingerprint not in (None, openvino_model.fingerprint)
    assert "".join(ask(named))


# ---------------------------------------------------------------- transformers


@pytest.fixture(scope="module")
def transformers_model(cache: Path) -> ServedModel:
    """Convert the packaged model, which takes 20 s, and load it in bfloat16."""
    model = build_served_model(settings(engine="transformers", cache=cache))
    warm_up(model)
    return model


@pytest.fixture(scope="module")
def transformers_chat(transformers_model: ServedModel) -> TransformersChatModel:
    assert isinstance(transformers_model.chat_model, TransformersChatModel)
    return transformers_model.chat_model


_KILLED = """
import os, pathlib, signal, sys
from shopbot.chat_models import convert
def killed(gguf, folder, progress):
    folder.mkdir()
    (folder / "config.json").write_text('{"half": ')
    os.kill(os.getpid(), signal.SIGKILL)
convert._convert = killed
convert.dequantised_folder(pathlib.Path(sys.argv[1]))
"""


@pytest.mark.model
def test_a_killed_conversion_is_never_taken_for_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shopbot.chat_models import convert

    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.suffix for path in tmp_path.iterdir() if path.is_dir()] == [".partial"]

    def succeed(gguf: Path, folder: Path, progress: convert.Progress) -> None:
        folder.mkdir()

    monkeypatch.setattr(convert, "_convert", succeed)
    folder = convert.dequantised_folder(tmp_path)
    assert list(folder.iterdir()) == []  # nothing of the killed one
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [folder]


@pytest.mark.model
def test_a_second_conversion_is_instant_and_the_folder_names_its_source(
    transformers_model: ServedModel, cache: Path
) -> None:
    from shopbot.chat_models.convert import dequantised_folder

    started = time.monotonic()
    folder = dequantised_folder(cache)
    assert time.monotonic() - started < 0.5
    assert folder.name == "smollm2-135m-instruct-b179c9523d0e"
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= set(os.listdir(folder))


@pytest.mark.model
def test_transformers_streams_greedy_text(transformers_model: ServedModel) -> None:
    timings = Timings()
    pieces = list(ask(transformers_model, timings=timings))
    text = "".join(pieces)
    assert text.startswith("A tent is a")  # as OpenVINO does; bfloat16 and 4 bit part ways later
    assert len(pieces) > 10
    assert "".join(ask(transformers_model)) == text
    assert (timings.prompt_tokens, timings.answer_tokens) == (35, 24)


@pytest.mark.model
def test_both_engines_read_the_same_tokens(
    openvino_chat: OpenVinoChatModel, transformers_chat: TransformersChatModel
) -> None:
    """Trained with one tokenizer and served with the other: they have to agree."""
    text = "Sizes 38–47, €1,249.95 (-20%), CO-104233;  it's   <|im_end|>\n\n日本 🏕️ x² ½ ٣ 10kg\t{2.price}"
    messages = [SystemMessage("Be kind."), HumanMessage(text)]
    served_ids = openvino_chat._tokenizer.encode(openvino_chat.render(messages), add_special_tokens=False)
    assert transformers_chat.encode(messages)["input_ids"].tolist() == served_ids.input_ids.data.tolist()


@pytest.mark.model
def test_transformers_stops_where_it_should(transformers_chat: TransformersChatModel) -> None:
    whole = transformers_chat.invoke(QUESTION, max_tokens=16).text
    stop = whole[20:27]
    stopped = transformers_chat.invoke(QUESTION, max_tokens=16, stop=[stop])
    assert stopped.text == whole[: whole.index(stop)]
    forced = transformers_chat.invoke("Say hello.", max_tokens=60, ignore_eos=True).usage_metadata
    assert forced is not None
    assert forced["output_tokens"] == 60
    assert stopped.usage_metadata is not None
    assert stopped.usage_metadata["output_tokens"] < 16


@pytest.mark.model
def test_stopping_in_mid_generation_frees_the_transformers_engine(transformers_model: ServedModel) -> None:
    stopped = ask(transformers_model, max_tokens=2000)
    next(stopped)
    stopped.close()
    assert until(lambda: transformers_model.slots.running == 0)


@pytest.mark.model
def test_transformers_errors_reach_the_caller_and_do_not_hang(
    transformers_chat: TransformersChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TextIteratorStreamer would wait for ever here."""

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(transformers_chat.model, "forward", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        transformers_chat.invoke(QUESTION)


@pytest.mark.model
def test_transformers_tokenizer_survives_many_threads(transformers_chat: TransformersChatModel) -> None:
    """Without the lock: RuntimeError, "Already borrowed"."""
    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda _: transformers_chat.encode(QUESTION)["input_ids"].shape[1], range(200)))
    assert sizes == [35] * 200


@pytest.mark.model
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft
def test_an_adapter_changes_the_fingerprint(transformers_model: ServedModel, cache: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from shopbot.chat_models.convert import dequantised_folder

    folder = dequantised_folder(cache)
    torch.manual_seed(0)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(AutoModelForCausalLM.from_pretrained(folder), config).save_pretrained(str(tmp_path))
    adapted = TransformersChatModel.load(folder, adapter=tmp_path)
    assert fingerprint(adapted) != transformers_model.fingerprint


def test_an_unknown_hugging_face_id_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="transformers cannot load"):
        build_served_model(settings(engine="transformers", model=str(tmp_path)))


# ---------------------------------------------------------------- an OpenAI-compatible server


@pytest.fixture
def server() -> Iterator[FakeOpenAIServer]:
    with FakeOpenAIServer(reply="The Ridge 2 is a fine tent for two.") as running:
        yield running


def remote(server: FakeOpenAIServer, **values: Any) -> ServedModel:
    limits = {"model_first_sentence_timeout_s": 2, "model_stall_timeout_s": 2, "model_retry_after_s": 0}
    base = {"engine": "openai", "model": "fake", "openai_base_url": server.base_url}
    return build_served_model(settings(openai_api_key=SecretStr("secret-key-123"), **(limits | base | values)))


def test_a_remote_reply_streams_and_counts_its_tokens(server: FakeOpenAIServer) -> None:
    timings = Timings()
    pieces = list(ask(remote(server), max_tokens=5, timings=timings))
    assert pieces == ["The", " Ridge", " 2", " is", " a"]
    assert (timings.prompt_tokens, timings.answer_tokens) == (4, 5)
    (request,) = server.requests
    assert request["max_tokens"] == 5
    assert request["temperature"] == 0.0
    assert request["authorization"] == "Bearer secret-key-123"


def test_a_remote_reply_comes_while_it_is_written(server: FakeOpenAIServer) -> None:
    server.token_delay_s = 0.1
    pieces = ask(remote(server))
    started = time.monotonic()
    next(pieces)
    first_s = time.monotonic() - started
    assert len(list(pieces)) == 8
    assert first_s < (time.monotonic() - started) / 2


@pytest.mark.parametrize(
    ("mode", "kind", "cause"),
    [
        ("http_500", ModelError, r"answered HTTP 500$"),
        ("unauthorised", ModelError, r"answered HTTP 401$"),
        ("overflow", ModelError, r"do not fit the model's context$"),
        ("html", ModelError, r"not a chat completion$"),
        ("bad_json", ModelError, r"not JSON$"),
        ("error_event", ModelError, r"the engine died"),
        ("drop", ModelError, r"broke in mid-answer$"),
        ("cut", ModelError, r"ended in mid-answer$"),
        ("empty", ModelGarbled, r"empty$"),
        ("noise", ModelGarbled, r"not language$"),
        ("replacement", ModelGarbled, r"not language$"),
    ],
)
def test_every_way_to_fail_is_a_model_error_with_a_cause(
    server: FakeOpenAIServer,
    mode: Mode,
    kind: type[ModelError],
    cause: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.mode = mode
    model = remote(server)
    with pytest.raises(kind, match=cause) as caught:
        list(ask(model))
    assert "secret" not in str(caught.value) + caplog.text
    assert model.health.is_degraded
    assert until(lambda: model.slots.running == 0)

    server.mode = "ok"
    assert "".join(ask(model)) == "The Ridge 2 is a fine tent for two."
    assert not model.health.is_degraded


@pytest.mark.parametrize(("mode", "cause"), [("hang", "no first token"), ("hang_mid", "stopped in mid-answer")])
def test_a_server_that_hangs_is_a_timeout_and_its_slot_comes_back(
    server: FakeOpenAIServer, mode: Mode, cause: str
) -> None:
    server.mode = mode
    model = remote(server, model_first_sentence_timeout_s=0.3, model_stall_timeout_s=0.3)
    with pytest.raises(ModelTimeout, match=cause):
        list(ask(model))
    assert until(lambda: model.slots.running == 0)  # the HTTP client gives up soon after


def test_a_slow_server_is_abandoned_when_the_customer_stops(server: FakeOpenAIServer) -> None:
    server.reply = "word " * 1000
    server.token_delay_s = 0.02
    model = remote(server)
    pieces = ask(model, max_tokens=1000)
    next(pieces)
    pieces.close()
    assert until(lambda: model.slots.running == 0)
    assert until(lambda: server.disconnects == 1)  # the server sees it, and can stop generating


def test_a_server_that_dies_is_noticed_at_once_and_its_return_soon_after(server: FakeOpenAIServer) -> None:
    model = remote(server, model_retry_after_s=0.2)
    assert "".join(ask(model)).startswith("The Ridge")
    server.kill()
    with pytest.raises(ModelError, match="cannot be reached"):
        list(ask(model))
    with pytest.raises(ModelError, match="left alone after: the model server cannot be reached"):
        list(ask(model))
    server.start()
    time.sleep(0.2)
    assert "".join(ask(model)).startswith("The Ridge")


def test_a_server_killed_in_mid_answer_ends_the_answer(server: FakeOpenAIServer) -> None:
    server.token_delay_s = 0.1
    pieces = ask(remote(server))
    next(pieces)
    server.kill()
    with pytest.raises(ModelError, match="broke in mid-answer"):
        list(pieces)


def test_many_remote_turns_run_at_the_same_time(server: FakeOpenAIServer) -> None:
    server.token_delay_s = 0.05
    model = remote(server)
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: "".join(ask(model)), range(8)))
    assert replies == ["The Ridge 2 is a fine tent for two."] * 8
    assert time.monotonic() - started < 8 * 9 * 0.05


def test_langchain_engine_names_the_provider(server: FakeOpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key-123")
    model = build_served_model(settings(engine="langchain", model="openai:fake", answer_max_tokens=8))
    assert "".join(ask(model)) == "The Ridge 2 is a fine tent for"
    assert isinstance(next(iter(model.chat_model.stream(QUESTION))), AIMessageChunk)
