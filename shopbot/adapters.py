"""A tuned model on disk: a LoRA adapter in safetensors, and the card that says what it was made of."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from shopbot.chat_format import CHAT_FORMAT_VERSION
from shopbot.errors import ModelError
from shopbot.model_files import sha256_of
from shopbot.prompts import Values
from shopbot.types import Frozen, PolicySection

WEIGHTS = "adapter_model.safetensors"
CARD = "card.json"


class AdapterCard(Frozen):
    """What an adapter was trained on and with; hashes are sha256, `policies` by section."""

    name: str
    shop: str
    base: str
    base_sha256: str
    weights_sha256: str
    data_sha256: str
    chat_format_version: int
    prompts: dict[str, str]
    policies: dict[str, str]
    recipe: dict[str, Any]
    versions: dict[str, str]
    examples: dict[str, int]
    left_out: int
    steps: int
    tokens_seen: int
    answer_tokens_seen: int
    minutes: float
    peak_memory_mb: float
    losses: list[tuple[int, float]]
    validation_losses: list[tuple[int, float]]
    trained_at: str
    licence: str


class Adapter(NamedTuple):
    """An adapter whose files belong together."""

    folder: Path
    card: AdapterCard

    @property
    def values(self) -> Values:
        """Whether it was tuned to refer to the values of a record, or to copy them."""
        told: Values = self.card.recipe["data"].get("values", "referred")
        return told

    @property
    def id(self) -> str:
        """Its name with the first digits of its weights' hash."""
        return f"{self.card.name}-{self.card.weights_sha256[:12]}"


def section_hash(section: PolicySection) -> str:
    """sha256 of a section's text: what a closed-book answer was learnt from."""
    return sha256(section.text.encode()).hexdigest()


def stale_sections(learnt: Mapping[str, str] | None, sections: Iterable[PolicySection]) -> list[str]:
    """Ids of the sections that have changed, or come, since a model learnt them; `learnt` are hashes by id.

    Without any, of a model behind a server, nobody knows, and none is taken to be stale: the check compares every
    sentence with the section as it is now.
    """
    if learnt is None:
        return []
    return [section.id for section in sections if learnt.get(section.id) != section_hash(section)]


def open_adapter(folder: Path, base_sha256: str | None = None) -> Adapter:
    """Read an adapter's card and check its weights against it.

    Raises ModelError if a file is missing or altered, if it was trained on another base, or with another version of
    the chat format: it would then answer worse for no visible reason.
    """
    try:
        card = AdapterCard.model_validate_json((folder / CARD).read_text(encoding="utf-8"))
        found = sha256_of(folder / WEIGHTS)
    except (OSError, ValueError) as error:
        raise ModelError(f"adapter {folder}: {error}") from error
    if found != card.weights_sha256:
        raise ModelError(
            f"adapter {folder}: {WEIGHTS} has sha256 {found[:12]}, its card says {card.weights_sha256[:12]}"
        )
    if base_sha256 is not None and card.base_sha256 != base_sha256:
        raise ModelError(
            f"adapter {folder}: was trained on base {card.base} {card.base_sha256[:12]}, not on {base_sha256[:12]}"
        )
    if card.chat_format_version != CHAT_FORMAT_VERSION:
        raise ModelError(
            f"adapter {folder}: was trained with chat format {card.chat_format_version}, this is {CHAT_FORMAT_VERSION};"
            " train it again with: shopbot finetune all"
        )
    return Adapter(folder, card)
