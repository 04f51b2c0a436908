"""Every error that shopbot raises on purpose.

    ShopbotError
    ├── ConfigError            a setting, recipe or shop file is wrong
    ├── FeedError              rows of a catalog or facts feed are wrong (carries all of them)
    ├── IndexMismatch          an index was not made by the embedder or metric that opens it
    ├── CatalogEmpty           nothing has been published yet
    ├── ModelError             a chat model could not be loaded or did not answer
    │   ├── ModelTimeout       no token within the limit
    │   ├── ModelBusy          the engine's queue is full
    │   └── ModelGarbled       the reply is not language
    ├── DatasetError           a training set is missing or must not be trained on (names every problem)
    ├── NotAvailable           a documented value whose feature does not exist yet
    ├── InputError             a request is malformed (carries the field)
    ├── ConversationBusy       an answer in it is still being written (carries when to try again)
    ├── RecordNotFound         no such product, policy section, conversation or run
    ├── OrderNotFound          no such order for this customer
    ├── TooManyTries           too many look-ups that found nothing
    ├── ChangeRefused          a change to an order that the rules do not allow (carries the policy section)
    ├── SignInRefused          wrong e-mail or password, or too many tries
    ├── NotAllowed             somebody who may not do this, whoever they are
    ├── TicketClosed           a reply to a ticket that is over
    └── TicketNotWritten       the database did not take a ticket

Raised early, caught at the edges only: a UI turn, an API request, a CLI command, a batch line.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class ShopbotError(Exception):
    """Root of the tree; `str(error)` is written for the person who has to act on it."""


class ConfigError(ShopbotError):
    pass


@dataclass(frozen=True)
class RowError:
    """One rejected row: where it is, what is wrong and what to do about it."""

    line: int
    field: str
    value: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"line {self.line}, field '{self.field}': {self.reason} (got {self.value}); {self.remedy}"


class FeedError(ShopbotError):
    def __init__(self, source: str, rows: Sequence[RowError]) -> None:
        self.source = source
        self.rows = tuple(rows)
        shown = "\n".join(f"  {row}" for row in self.rows[:20])
        more = f"\n  ... and {len(self.rows) - 20} more" if len(self.rows) > 20 else ""
        super().__init__(f"{source}: {len(self.rows)} row error(s); nothing was changed\n{shown}{more}")


class IndexMismatch(ShopbotError):
    pass


class CatalogEmpty(ShopbotError):
    pass


class ModelError(ShopbotError):
    pass


class ModelTimeout(ModelError):
    pass


class ModelBusy(ModelError):
    pass


class ModelGarbled(ModelError):
    pass


class DatasetError(ShopbotError):
    pass


class NotAvailable(ShopbotError):
    def __init__(self, field: str, value: str, remedy: str) -> None:
        self.field = field
        super().__init__(f"{field}={value!r} is not available yet: {remedy}")


class InputError(ShopbotError):
    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        super().__init__(f"{field}: {reason}")


class ConversationBusy(ShopbotError):
    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("an answer in this conversation is still being written; read it or stop it, then ask on")


class RecordNotFound(ShopbotError):
    pass


class OrderNotFound(ShopbotError):
    pass


class TooManyTries(ShopbotError):
    pass


class ChangeRefused(ShopbotError):
    def __init__(self, section: str, reason: str) -> None:
        self.section = section
        self.reason = reason
        super().__init__(f"not allowed by {section}: {reason}")


class SignInRefused(ShopbotError):
    pass


class NotAllowed(ShopbotError):
    pass


class TicketClosed(ShopbotError):
    pass


class TicketNotWritten(ShopbotError):
    pass
