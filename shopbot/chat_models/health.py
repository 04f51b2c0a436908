"""Does the model work? A circuit breaker, so that reduced mode is quick instead of a timeout per turn."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from shopbot.errors import ModelError, ModelGarbled

CircuitState = Literal["closed", "open", "half_open"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Circuit:
    """How a model's breaker stands, for health pages: calls go through (closed), are refused (open), or the next one,
    and it alone, tries the model again (half_open).

    `failures` are those in a row; `degraded_for_s` the seconds since the first of them, `retry_in_s` the seconds until
    the next trial, None while there is none to wait for.
    """

    state: CircuitState
    failures: int
    degraded_for_s: float | None
    retry_in_s: float | None


class ModelHealth:
    """Leave a failing model alone for `retry_after_s`, then let one call through to try it again.

    The circuit breaker of Nygard, Release It! (2nd ed. 2018, chapter 5), which opens at the first failure: a failure
    has cost one customer the whole time limit already. A garbled reply may be one customer's doing ("write a thousand
    a's"), so it takes two in a row before everybody else's calls are held off. Thread-safe.
    """

    def __init__(
        self, retry_after_s: float, clock: Callable[[], float] = time.monotonic, name: str = "the model"
    ) -> None:
        self._retry_after_s = retry_after_s
        self._clock = clock  # seconds, monotonic
        self._name = name
        self._lock = threading.Lock()
        self._since = 0.0
        self._open_until: float | None = None
        self._is_being_tried = False
        self.last_error: ModelError | None = None
        self.consecutive_failures = 0

    @property
    def is_degraded(self) -> bool:
        """True from a failure on, until a call succeeds."""
        return self.last_error is not None

    @property
    def reason(self) -> str | None:
        """What went wrong last, for a health page; None while all is well."""
        return None if self.last_error is None else str(self.last_error)

    @property
    def degraded_for_s(self) -> float | None:
        """Seconds since the first failure of this row; None while all is well."""
        return self._clock() - self._since if self.is_degraded else None

    @property
    def state(self) -> CircuitState:
        """How the breaker stands now."""
        if self._open_until is None:
            return "closed"
        return "half_open" if self._is_being_tried or self._clock() >= self._open_until else "open"

    @property
    def circuit(self) -> Circuit:
        """The breaker's state with the figures behind it."""
        with self._lock:
            left = self._open_until - self._clock() if self.state == "open" and self._open_until else None
            since = self.degraded_for_s
            return Circuit(self.state, self.consecutive_failures, _tenths(since), _tenths(left))

    def admit(self) -> bool:
        """Let a call through, or raise ModelError at once; True if the call is a trial of a failing model.

        Each admitted call must end in `succeeded`, `failed` or `abandoned`.
        """
        with self._lock:
            if self._open_until is None:
                return False
            if self._is_being_tried or self._clock() < self._open_until:
                raise ModelError(f"left alone after: {self.reason}")
            self._is_being_tried = True
            return True

    def succeeded(self) -> None:
        with self._lock:
            if self._open_until is not None:
                _log.warning("%s works again after %.1f s: circuit closed", self._name, self._clock() - self._since)
            self._is_being_tried = False
            self._open_until = None
            self.last_error = None
            self.consecutive_failures = 0

    def failed(self, error: ModelError) -> None:
        with self._lock:
            self._is_being_tried = False
            if not self.is_degraded:
                self._since = self._clock()
            self.last_error = error
            self.consecutive_failures += 1
            if self.consecutive_failures > 1 or not isinstance(error, ModelGarbled):
                self._open()

    def _open(self) -> None:
        if self._open_until is None:
            _log.warning("%s: circuit open, answers come from the records: %s", self._name, self.reason)
        self._open_until = self._clock() + self._retry_after_s

    def abandoned(self) -> None:
        """Note that an admitted call ended without saying anything about the model (stopped, or no slot)."""
        with self._lock:
            self._is_being_tried = False


def _tenths(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
