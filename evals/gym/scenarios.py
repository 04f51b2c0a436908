"""Scenarios as data: who the customer is, what they say and when, and how a good shop would have handled it.

Two sets, like those of the cases: the development set is read and learnt from while the code changes, the test set is
looked at in figures only, until it is replaced (the first one has been read: docs/results/gym.md).
"""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import AwareDatetime, Field, ValidationError, field_validator, model_validator

from shopbot.errors import ConfigError, InputError
from shopbot.order_changes import Action
from shopbot.tables import metadata
from shopbot.types import Frozen

FOLDER = Path(__file__).parent / "scenarios"
SETS = ("development", "test")
Theme = Literal["search", "policy", "order", "return", "promotion", "mixed", "handoff"]
THEMES: tuple[Theme, ...] = get_args(Theme)
Wanted = str | tuple[str, ...]
"""A pattern, or several of which one is enough."""


class Step(Frozen):
    """One message of the customer, and what its answer has to say.

    Patterns are regular expressions, case aside; `<CO-0103 weight_g>` in them is a value of a record (`records`).
    `when` and `unless` look at the answer before: the message is only sent where they hold. `facts` are lines of a
    facts file that come in, and `wait_minutes` pass, before it is sent.
    """

    say: str = Field(min_length=1)
    when: str | None = None
    unless: str | None = None
    wait_minutes: int = Field(0, ge=0)
    facts: tuple[dict[str, Any], ...] = ()
    must_say: tuple[Wanted, ...] = ()
    must_not_say: tuple[str, ...] = ()


class ExpectedChange(Frozen):
    """One row of the audit: `details` are further fields of it, by dotted path."""

    order: str
    action: Action
    section: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class Expected(Frozen):
    """How it ends: patterns over all answers together, and the database.

    Every change is named in `changes`, and every order that differs from the start in `orders`, with fields of it by
    dotted path ("return.refund_amount"). `tickets` are rows with these fields; None where it does not matter.
    """

    must_say: tuple[Wanted, ...] = ()
    must_not_say: tuple[str, ...] = ()
    changes: tuple[ExpectedChange, ...] = ()
    orders: dict[str, dict[str, Any]] = Field(default_factory=dict)
    tickets: tuple[dict[str, Any], ...] | None = None

    @model_validator(mode="after")
    def _every_change_is_seen(self) -> "Expected":
        if changed := {change.order for change in self.changes} - set(self.orders):
            raise ValueError(f"orders: say how {min(changed)} stands after its change")
        return self


class Scenario(Frozen):
    """One customer's errand. `customer` has signed in; without one it is a visitor."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    theme: Theme
    about: str = Field(min_length=1)
    customer: str | None = None
    clock: AwareDatetime
    steps: tuple[Step, ...] = Field(min_length=1, max_length=12)
    expect: Expected = Expected()

    @field_validator("steps")
    @classmethod
    def _begins(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if steps[0].when or steps[0].unless:
            raise ValueError("the first message has no answer before it: leave out when and unless")
        return steps

    @model_validator(mode="after")
    def _expects_something(self) -> "Scenario":
        said = any(step.must_say or step.must_not_say for step in self.steps)
        if not (said or self.expect.must_say or self.expect.changes):
            raise ValueError("expect: say what a good answer says, or what changes; this can't fail")
        return self


def read_set(name: str) -> list[Scenario]:
    """The scenarios of a set. Raises ConfigError for one that there is not."""
    if name not in SETS:
        raise ConfigError(f"no scenarios {name!r}; there are the sets: {', '.join(SETS)}")
    return read_scenarios(FOLDER / name)


def read_scenarios(folder: Path) -> list[Scenario]:
    """All scenarios of a folder's files, in order of files and of lines.

    A file whose `needs` names a table that this version has not is left out. Raises ConfigError naming file,
    scenario and key.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise ConfigError(f"no scenarios in {folder}")
    scenarios = [scenario for path in paths for scenario in _read(path)]
    seen: set[str] = set()
    for scenario in scenarios:
        if scenario.id in seen:
            raise ConfigError(f"scenario '{scenario.id}': id: there is another one of that name; rename it")
        seen.add(scenario.id)
    return scenarios


def choose(scenarios: Sequence[Scenario], names: Sequence[str]) -> list[Scenario]:
    """Those of the given ids or themes; all without any. Raises InputError for a name that is neither."""
    known = {scenario.id for scenario in scenarios} | {scenario.theme for scenario in scenarios}
    if unknown := set(names) - known:
        raise InputError("only", f"no scenario or theme {min(unknown)!r}; themes are {', '.join(THEMES)}")
    return [scenario for scenario in scenarios if not names or {scenario.id, scenario.theme} & set(names)]


def _read(path: Path) -> list[Scenario]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        needs, theme, clock = content.get("needs"), content.get("theme"), content.get("clock")
        listed = list(content["scenarios"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: {error!r}; write a mapping with the list 'scenarios'") from error
    if needs is not None and needs not in metadata.tables:
        return []
    return [_scenario(path, item, {"theme": theme, "clock": clock}) for item in listed]


def _scenario(path: Path, item: Any, defaults: dict[str, str | datetime | None]) -> Scenario:
    name = item.get("id", "without an id") if isinstance(item, dict) else repr(item)
    try:
        scenario = Scenario.model_validate({**{k: v for k, v in defaults.items() if v is not None}, **item})
    except (ValidationError, TypeError) as error:
        raise ConfigError(f"{path}, scenario '{name}': {_described(error)}") from error
    for key, pattern in patterns_of(scenario):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"{path}, scenario '{name}': {key}: {pattern!r} is no pattern: {error}") from error
    return scenario


def _described(error: ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return "is no mapping; write id, about, steps"
    return "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())


def patterns_of(scenario: Scenario) -> list[tuple[str, str]]:
    """Every pattern of a scenario with the key it stands under."""
    found = []
    for number, step in enumerate(scenario.steps, start=1):
        found += [(f"steps.{number}.when", step.when)] if step.when else []
        found += [(f"steps.{number}.unless", step.unless)] if step.unless else []
        found += [(f"steps.{number}.{key}", text) for key, text in _expectations(step)]
    return found + [(f"expect.{key}", text) for key, text in _expectations(scenario.expect)]


def _expectations(part: Step | Expected) -> list[tuple[str, str]]:
    wanted = [text for item in part.must_say for text in ((item,) if isinstance(item, str) else item)]
    return [("must_say", text) for text in wanted] + [("must_not_say", text) for text in part.must_not_say]
