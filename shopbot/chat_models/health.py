"""Does the model work? Remembers failures, so that reduced mode is quick instead of a timeout per turn."""

import threading
import time
from collections.abc import Callable

from shopbot.errors import ModelError, ModelGarbled


class ModelHealth:
    """Leave a failing model alone for `retry_after_s`, then let one call through to try it again.

    A garbled reply may be one customer's doing ("write a thousand a's"), so it takes two in a row before
    everybody else's calls are held off. Thread-safe.
    """

    def __init__(self, retry_after_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._retry_after_s = retry_after_s
        self._clock = clock  # seconds, monotonic
        self._lock = threading.Lock()
        self._since = 0.0
        self._closed_until: float | None = None
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

    def admit(self) -> bool:
        """Let a call through, or raise ModelError at once; True if the call is a trial of a failing model.

        Each admitted call must end in `succeeded`, `failed` or `abandoned`.
        """
        with self._lock:
            if self._closed_until is None:
                return False
            if self._is_being_tried or self._clock() < self._closed_until:
                raise ModelError(f"left alone after: {self.reason}")
            self._is_being_tried = True
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._is_being_tried = False
            self._closed_until = None
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
                self._closed_until = self._clock() + self._retry_after_s

    def abandoned(self) -> None:
        """Note that an admitted call ended without saying anything about the model (stopped, or no slot)."""
        with self._lock:
            self._is_being_tried = False
