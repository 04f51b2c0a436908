"""The shipped adapter: served beside the base, merged without a difference, checked like everything else."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.health import health_of
from app.wiring import check_tuned
from evals.cases import SETS, read_cases
from finetune.examples import ChatMessage
from graph.turn import TurnResult
from shopbot.adapters import CARD, open_adapter, section_hash
from shopbot.chat_models import ServedModel, build_served_model, warm_up
from shopbot.chat_models.convert import dequantised_folder
from shopbot.errors import ModelError
from shopbot.model_files import BASE_MODEL, locate
from shopbot.settings import REPOSITORY, Settings
from tests.fakes import ScriptedChatModel, served

pytestmark = pytest.mark.model
ADAPTER = REPOSITORY / "data" / "cairn" / "adapter"
PATIENT = {"model_first_sentence_timeout_s": 60, "model_stall_timeout_s": 60}
MOST_BYTES = 10_000_000
AGREEMENT = 0.99


@pytest.fixture(scope="module")
def arms(cache: Path) -> dict[str, ServedModel]:
    settings = Settings(_env_file=None, cache=cache, **PATIENT)  # type: ignore[call-arg]
    adapter = open_adapter(ADAPTER, BASE_MODEL.sha256)
    made = {"base": build_served_model(settings), "tuned": build_served_model(settings, "tuned", adapter)}
    for model in made.values():
        warm_up(model)
    return made


@pytest.fixture
def asked(arms: dict[str, ServedModel], assistant: Any) -> Any:
    made = assistant()
    made.services.deps = replace(made.services.deps, models=arms, default_arm="tuned")
    return made


def test_the_adapter_is_small_and_fits_its_card() -> None:
    assert sum(path.stat().st_size for path in ADAPTER.glob("adapter_model.*")) <= MOST_BYTES
    card = open_adapter(ADAPTER, BASE_MODEL.sha256).card
    assert card.shop == "Cairn Outfitters"
    held_apart = {case.product for name in SETS for case in read_cases(name) if case.product}
    assert held_apart.isdisjoint(card.model_dump_json().split('"'))


def test_the_arms_have_fingerprints_of_their_own(arms: dict[str, ServedModel]) -> None:
    assert arms["base"].fingerprint != arms["tuned"].fingerprint
    check_tuned(arms)


def test_an_adapter_that_changes_nothing_is_refused(arms: dict[str, ServedModel]) -> None:
    idle = replace(arms["tuned"], fingerprint=arms["base"].fingerprint)
    with pytest.raises(ModelError, match="changes nothing"):
        check_tuned({"base": arms["base"], "tuned": idle})


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_merging_changes_no_token(cache: Path) -> None:
    """Greedy answers of merged and unmerged weights in 32 bits agree on at least 99 % of their tokens."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from shopbot.chat_models.transformers import merged

    folder = dequantised_folder(cache)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    load: Any = AutoModelForCausalLM.from_pretrained
    whole = merged(load(folder, dtype=torch.float32), ADAPTER).eval()
    beside = PeftModel.from_pretrained(load(folder, dtype=torch.float32), ADAPTER).eval()
    same = total = 0
    for case in read_cases("development", ("facts",))[:6]:
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": f"Question: {case.question}"}],
            add_generation_prompt=True, return_tensors="pt", return_dict=True,
        )  # fmt: skip
        first, second = (
            model.generate(**ids, max_new_tokens=24, do_sample=False)[0, ids["input_ids"].shape[1] :].tolist()
            for model in (whole, beside)
        )
        same += sum(a == b for a, b in zip(first, second, strict=False))
        total += max(len(first), len(second))
    assert same / total >= AGREEMENT


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How much is the Everest Down Jacket?", "$349.00"),
        ("What does the Everest Down Jacket weigh?", "515 g"),
        ("Is the Everest Down Jacket in stock in L in Ember?", "sold out"),
        ("Is the Everest Down Jacket waterproof?", "not waterproof"),
        ("How long do I have to return something?", "45 days"),
    ],
)
def test_the_tuned_arm_answers_right_whoever_wrote_it(question: str, expected: str, asked: Any) -> None:
    result: TurnResult = asked.ask(question)
    assert expected in result.answer
    assert (result.arm, result.reduced) == ("tuned", None)
    assert "{" not in result.answer


def test_a_reference_follows_the_live_price(
    asked: Any, arms: dict[str, ServedModel], new_home: Path, assistant: Any
) -> None:
    from shopbot.facts import parse_facts_file

    made = assistant(home=new_home)
    made.services.deps = replace(made.services.deps, models=arms, default_arm="tuned")
    facts = new_home.parent / "facts.jsonl"
    facts.write_text(json.dumps({"id": "CO-0101", "price": 299.5}) + "\n", encoding="utf-8")
    store = made.services.store
    store.facts.apply(parse_facts_file(facts, store.facts.known()), str(facts))
    result = made.ask("How much is the Everest Down Jacket?")
    assert "$299.50" in result.answer
    assert (result.verdict, result.model_share) == ("passed", 1.0)


def test_a_server_refuses_an_adapter_that_was_altered(tmp_path: Path) -> None:
    copy = shutil.copytree(ADAPTER, tmp_path / "adapter")
    card = json.loads((copy / CARD).read_text(encoding="utf-8"))
    (copy / CARD).write_text(json.dumps(card | {"weights_sha256": "0" * 64}), encoding="utf-8")
    with pytest.raises(ModelError, match="its card says"):
        open_adapter(copy)


# ---------------------------------------------------------------- for other servers

TRIALS = [(ChatMessage(role="user", content=f"Question: {question}"),) for question in ("How heavy?", "How long?")]


def exported(cache: Path, target: Path) -> list[Path]:
    from finetune.export import export

    adapter = open_adapter(ADAPTER, BASE_MODEL.sha256)
    return export(adapter, locate(BASE_MODEL), dequantised_folder(cache), target, TRIALS, lambda *_: None)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_the_shipped_adapter_is_exported_in_every_form_and_nothing_is_left_unfinished(
    cache: Path, tmp_path: Path
) -> None:
    gguf, modelfile, safetensors = exported(cache, tmp_path / "export")
    assert {path.name for path in (tmp_path / "export").iterdir()} == {gguf.name, "Modelfile", "safetensors"}
    with gguf.open("rb") as stream:
        assert stream.read(4) == b"GGUF"
    assert modelfile.read_text(encoding="utf-8").startswith(f"FROM ./{gguf.name}\n")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in safetensors.iterdir()}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_an_export_that_answers_unlike_the_adapter_is_refused_and_not_left_behind(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune.export.token_agreement", lambda *_: 0.5)
    with pytest.raises(ModelError, match=r"only 50\.0% of the merged model's tokens"):
        exported(cache, tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- what a tuned model may not do


def tuned(assistant: Any, *replies: str) -> Any:
    """An assistant whose tuned arm says these replies, one a generation."""
    made = assistant()
    model = served(ScriptedChatModel(replies=list(replies)), arm="tuned")
    made.services.deps = replace(made.services.deps, models={**made.services.deps.models, "tuned": model})
    return made


RETURN = "How long do I have to return something?"
WINDOW = "You have 45 days from the delivery date to send an item back."
REFUND = "We check your return within 3 business days after it reaches us."


def test_a_section_from_memory_is_shown_as_the_models_own(assistant: Any) -> None:
    result = tuned(assistant, f"[returns.window] {WINDOW}").ask(RETURN, arm="tuned")
    assert result.answer.startswith("You have 45 days from the delivery date to send an item back [1].")
    assert [citation.id for citation in result.citations] == ["returns.window"]
    assert result.model_share > 0


def test_what_has_changed_since_the_training_is_answered_from_its_text_and_the_rest_from_memory(
    assistant: Any,
) -> None:
    made = tuned(assistant, f"[1] {WINDOW}", "[gift-cards.expiry] Cairn gift cards never expire.")
    model = made.services.deps.models["tuned"]
    sections = made.services.store.catalog.active().policies.values()
    model.learnt = {section.id: section_hash(section) for section in sections} | {"returns.window": "what it was"}
    assert health_of(made.services)["arms"]["tuned"]["stale_policies"] == ["returns.window"]
    assert made.ask(RETURN, arm="tuned").answer.startswith("You have 45 days")
    made.ask("Do gift cards run out?", arm="tuned")
    over_text, from_memory = (call[-1].content for call in model.chat_model.calls[:2])
    assert WINDOW in over_text
    assert "gift-cards.expiry" in from_memory.splitlines()[0]
    assert from_memory.startswith("Sections: ")


@pytest.mark.parametrize(
    "reply",
    [
        f"[returns.refund] {REFUND}",
        f"[no.section] {WINDOW}",
        "[returns.window] You have 90 days from the delivery date to send an item back.",
        REFUND,
    ],
)
def test_another_section_or_another_figure_is_not_shown(reply: str, assistant: Any) -> None:
    """A true sentence about the wrong section is a wrong answer; the records then say the right one."""
    result = tuned(assistant, reply).ask(RETURN, arm="tuned")
    assert "45 days" in result.answer
    assert "90 days" not in result.answer
    assert REFUND[:-1] not in result.answer
    assert [citation.id for citation in result.citations] == ["returns.window"]
    assert (result.verdict, result.model_share) == ("fallback", 0.0)


@pytest.mark.parametrize(
    "reply",
    [
        "The Everest Down Jacket costs {1.discount}.",
        "The Everest Down Jacket costs {2.price}.",
        "The Everest Down Jacket weighs {1.price}.",
        "The Everest Down Vest costs {1.price}.",
        "The Everest Down Jacket costs less than {1.price}.",
        "The Everest Down Jacket costs $1.00.",
        "{1.price",
    ],
)
def test_what_does_not_resolve_or_does_not_fit_never_reaches_the_customer(reply: str, assistant: Any) -> None:
    asked = tuned(assistant, reply)
    result = asked.ask("How much is the Everest Down Jacket?", arm="tuned")
    assert result.answer == "The Everest Down Jacket costs $349.00 [1]."
    assert (result.verdict, result.model_share) == ("fallback", 0.0)
    assert [event["text"] for event in asked.events[:-1]] == [result.answer]


def test_what_a_record_does_not_say_is_said_by_the_model_itself(assistant: Any) -> None:
    said = "Our record of the Everest Down Jacket doesn't say anything about bluetooth, and I won't guess."
    result = tuned(assistant, said).ask("Does the Everest Down Jacket have bluetooth?", arm="tuned")
    assert result.answer == said
    assert (result.verdict, result.model_share, result.citations) == ("passed", 1.0, ())


@pytest.mark.parametrize(
    "said",
    ["The Everest Down Jacket weighs {1.weight}.", "Water protection of the Everest Down Jacket: {1.waterproof}."],
)
def test_what_the_model_has_answered_in_part_is_still_said_to_be_unknown(said: str, assistant: Any) -> None:
    """The record says nothing of bluetooth, though its finish repels something."""
    asked = tuned(assistant, said)
    result = asked.ask("Does the Everest Down Jacket repel bluetooth?", arm="tuned")
    assert "Our record of the Everest Down Jacket doesn't say anything about “repel” and “bluetooth”" in result.answer
    assert asked.authors == ["model", "shop"]
