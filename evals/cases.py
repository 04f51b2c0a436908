"""Evaluation cases: customer questions with what a right answer has to say, kept apart from all training material.

Two sets by different writers: the development set is read and learnt from while the code changes; the test set is
looked at in figures only, never case by case, until it is replaced by a new one.
"""

import json
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from graph.turn import Message
from shopbot.errors import ConfigError
from shopbot.types import Frozen

FOLDER = Path(__file__).parent / "cases"
ANSWERED = ("facts", "multi_turn", "policy", "promotion", "paraphrase", "bias")
UNANSWERED = ("unanswerable", "not_sold", "out_of_scope", "ask_back")
SLICES = (*ANSWERED, *UNANSWERED)
SETS = ("development", "test")


class Case(Frozen):
    """One conversation; `expects` are key strings, all of every inner list have to be said.

    `product`, `section` and `promotion` are the records that answer it, `also` further sections that would do; `group`
    joins paraphrases of one question, `variant` says how they differ. `today` is the day in the shop on which it is
    asked, where that matters.
    """

    id: str
    slice: str
    messages: tuple[Message, ...]
    product: str | None = None
    section: str | None = None
    promotion: str | None = None
    also: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    expects: tuple[tuple[str, ...], ...] = ()
    group: str | None = None
    variant: str | None = None
    today: date | None = None

    @property
    def question(self) -> str:
        return self.messages[-1].content

    @property
    def records(self) -> tuple[str, ...]:
        """Ids that a citation may name."""
        return tuple(record for record in (self.product, self.section, self.promotion, *self.also) if record)


def read_cases(name: str, slices: tuple[str, ...] = SLICES) -> list[Case]:
    """Read a set's cases of the slices; a set need not have all. Raises ConfigError naming file and line."""
    return read_folder(FOLDER / name, slices)


def held_products() -> frozenset[str]:
    """Products of any case: no training may use them."""
    return frozenset(case.product for name in SETS for case in read_cases(name) if case.product)


def read_folder(folder: Path, slices: tuple[str, ...] = SLICES) -> list[Case]:
    """The same for any folder with a file a slice."""
    if not folder.is_dir():
        raise ConfigError(f"no evaluation cases in {folder}; there are the sets: {', '.join(SETS)}")
    if unknown := set(slices) - set(SLICES):
        raise ConfigError(f"no slice {min(unknown)!r}; there are: {', '.join(SLICES)}")
    paths = [folder / f"{name}.jsonl" for name in slices]
    return [case for path in paths if path.is_file() for case in _read(path)]


def _read(path: Path) -> list[Case]:
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            cases.append(Case.model_validate(json.loads(line)))
        except (ValueError, ValidationError) as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
    return cases
