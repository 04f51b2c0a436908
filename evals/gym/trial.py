"""What a trial leaves: the conversation, the end of the database, and the verdict."""

from typing import Any

from shopbot.types import Frozen


class Exchange(Frozen):
    """One message and its answer. `sentences` are (text, author) as shown; `cited` the records behind [1], [2] ...

    `step` is the place of the message in the script; `wrong` what the oracle found in the answer; `error` what ended
    the turn instead of an answer.
    """

    said: str
    answer: str = ""
    sentences: tuple[tuple[str, str], ...] = ()
    cited: tuple[str, ...] = ()
    role: str = ""
    verdict: str = ""
    findings: tuple[str, ...] = ()
    asked_model: bool = False
    total_ms: float = 0.0
    error: str | None = None
    step: int = 0
    wrong: tuple[str, ...] = ()


class State(Frozen):
    """The database as far as a conversation can change it; orders and their states by id."""

    orders: dict[str, dict[str, Any]]
    statuses: dict[str, str]
    changes: tuple[dict[str, Any], ...] = ()
    tickets: tuple[dict[str, Any], ...] = ()


class Trial(Frozen):
    """One scenario, once; `seed` is None for the product's own decoding. `failures` is empty for a success."""

    scenario: str
    theme: str
    arm: str
    seed: int | None
    exchanges: tuple[Exchange, ...]
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures
