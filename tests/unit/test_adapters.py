"""An adapter is opened whole or refused: on a wrong base or format it would answer worse for no visible reason."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from shopbot.adapters import CARD, WEIGHTS, AdapterCard, open_adapter, section_hash, stale_sections
from shopbot.chat_format import CHAT_FORMAT_VERSION
from shopbot.errors import ModelError
from shopbot.types import PolicySection

BYTES = b"weights"
BASE = "b" * 64


def card(**changes: Any) -> dict[str, Any]:
    values = {
        "name": "cairn-lora",
        "shop": "Cairn Outfitters",
        "base": "smollm2-135m-instruct",
        "base_sha256": BASE,
        "weights_sha256": sha256(BYTES).hexdigest(),
        "data_sha256": "d" * 64,
        "chat_format_version": CHAT_FORMAT_VERSION,
        "prompts": {"product": "p" * 12},
        "policies": {"returns.window": "e" * 64},
        "recipe": {"lora": {"r": 16}},
        "versions": {"torch": "2"},
        "examples": {"product": 700},
        "left_out": 3,
        "steps": 480,
        "tokens_seen": 900_000,
        "answer_tokens_seen": 100_000,
        "minutes": 31.5,
        "peak_memory_mb": 5200.0,
        "losses": [[1, 2.5], [60, 0.4]],
        "validation_losses": [[60, 0.5]],
        "trained_at": "2026-11-24T20:00:00+00:00",
        "licence": "Apache-2.0",
    }
    return {**values, **changes}


def write(folder: Path, weights: bytes = BYTES, **changes: Any) -> Path:
    """Write an adapter; `changes` are to its card, a value of None takes the key away."""
    values = {key: value for key, value in card(**changes).items() if value is not None}
    (folder / CARD).write_text(json.dumps(values), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(weights)
    return folder


def refusal(folder: Path, base_sha256: str | None = None) -> str:
    """What the error says; it names the folder always."""
    with pytest.raises(ModelError) as caught:
        open_adapter(folder, base_sha256)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_an_adapter_opens_with_the_card_that_it_was_written_with(tmp_path: Path) -> None:
    adapter = open_adapter(write(tmp_path), BASE)
    assert adapter == (tmp_path, AdapterCard.model_validate(card()))
    assert adapter.id == f"cairn-lora-{sha256(BYTES).hexdigest()[:12]}"


def test_a_card_survives_being_written_by_the_training(tmp_path: Path) -> None:
    made = AdapterCard.model_validate(card())
    (write(tmp_path) / CARD).write_text(made.model_dump_json(indent=1), encoding="utf-8")
    assert made == open_adapter(tmp_path).card


def test_without_a_base_to_compare_with_any_base_will_do(tmp_path: Path) -> None:
    assert open_adapter(write(tmp_path, base_sha256="c" * 64)).card.base_sha256 == "c" * 64


def test_altered_weights_are_refused_with_both_hashes(tmp_path: Path) -> None:
    said = refusal(write(tmp_path, weights=b"other"))
    assert f"{WEIGHTS} has sha256 {sha256(b'other').hexdigest()[:12]}" in said
    assert f"its card says {sha256(BYTES).hexdigest()[:12]}" in said


def test_an_adapter_of_another_base_is_refused_with_both_bases(tmp_path: Path) -> None:
    said = refusal(write(tmp_path), "a" * 64)
    assert f"trained on base smollm2-135m-instruct {'b' * 12}, not on {'a' * 12}" in said


@pytest.mark.parametrize("version", [CHAT_FORMAT_VERSION - 1, CHAT_FORMAT_VERSION + 1])
def test_an_adapter_of_another_chat_format_is_refused_with_the_way_to_train_it_again(
    tmp_path: Path, version: int
) -> None:
    said = refusal(write(tmp_path, chat_format_version=version), BASE)
    assert f"chat format {version}, this is {CHAT_FORMAT_VERSION}" in said
    assert "shopbot finetune all" in said


@pytest.mark.parametrize("missing", [CARD, WEIGHTS])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    (write(tmp_path) / missing).unlink()
    assert missing in refusal(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert CARD in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("key", "value"),
    [("base_sha256", None), ("policies", None), ("steps", "many"), ("losses", [[1]]), ("mood", "good")],
)
def test_a_card_with_a_key_that_is_missing_wrong_or_unknown_is_refused_with_the_key(
    tmp_path: Path, key: str, value: object
) -> None:
    assert key in refusal(write(tmp_path, **{key: value}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": '])
def test_a_card_that_is_no_card_is_refused(tmp_path: Path, text: str) -> None:
    (write(tmp_path) / CARD).write_text(text, encoding="utf-8")
    assert "AdapterCard" in refusal(tmp_path)


def test_a_card_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    text = json.dumps(card(shop="Café"), ensure_ascii=False)
    (write(tmp_path) / CARD).write_bytes(text.encode("latin-1"))
    assert "utf-8" in refusal(tmp_path)


def test_what_has_changed_or_come_since_the_training_is_stale() -> None:
    window, label = (PolicySection(id=key, policy="Returns", heading="H", text=key) for key in ("window", "label"))
    learnt = {"window": section_hash(window), "label": section_hash(label)}
    changed = window.model_copy(update={"text": "30 days"})
    renamed = label.model_copy(update={"heading": "What the label costs"})  # a heading is not recited
    new = PolicySection(id="gifts", policy="Returns", heading="H", text="x")
    assert stale_sections(learnt, [window, label]) == []
    assert stale_sections(learnt, [changed, renamed, new]) == ["window", "gifts"]
    assert stale_sections(None, [changed]) == []
