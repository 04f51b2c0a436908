"""Bounded admission to an engine: so many at once, so many waiting, the rest is told at once."""

import threading
import time
from collections import deque

from shopbot.errors import ModelBusy

POLL_S = 0.05  # how soon a waiting turn notices that it was cancelled


class EngineSlots:
    """Let `capacity` generations run and `queue_size` wait for their turn, first come, first served."""

    def __init__(self, capacity: int, queue_size: int) -> None:
        self.capacity = capacity
        self.queue_size = queue_size
        self._running = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def acquire(self, cancelled: threading.Event, timeout_s: float) -> bool:
        """Take a slot, waiting for it if need be; False once `cancelled` is set.

        Raises ModelBusy at once if the queue is full, and after `timeout_s` seconds in it.
        """
        if cancelled.is_set():
            return False
        with self._changed:
            if self._running < self.capacity and not self._queue:
                self._running += 1
                return True
            if len(self._queue) >= self.queue_size:
                raise ModelBusy(f"{self._running} answers are being written and {self.waiting} are waiting")
            return self._wait_for_turn(cancelled, timeout_s)

    def release(self) -> None:
        """Give a slot back; to be called once for each `acquire` that returned True."""
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def _wait_for_turn(self, cancelled: threading.Event, timeout_s: float) -> bool:
        place = object()
        self._queue.append(place)
        deadline = time.monotonic() + timeout_s
        try:
            while self._queue[0] is not place or self._running >= self.capacity:
                if cancelled.is_set():
                    return False
                if time.monotonic() >= deadline:
                    raise ModelBusy(f"no free engine within {timeout_s:g} s")
                self._changed.wait(POLL_S)
            self._running += 1
            return True
        finally:
            self._queue.remove(place)
            self._changed.notify_all()
