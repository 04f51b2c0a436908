"""What the check says of a sentence."""

from dataclasses import dataclass
from enum import StrEnum

from shopbot.statements import Source, Statement


class Finding(StrEnum):
    """Why a sentence was held back."""

    EMPTY = "says nothing"
    REPETITION = "repeats itself"
    UNKNOWN_SOURCE = "cites a source that is not there"
    OTHER_PRODUCT = "does not name the product that it cites"
    NUMBER = "has a number that the record does not"
    STOCK = "claims a stock that the live record does not confirm"
    POLARITY = "says the opposite of the record"
    WORDS = "has words that the record does not account for"
    CONDITION = "leaves out a condition of the rule"
    RANKING = "ranks or promises, which one record cannot support"
    FIELD = "refers to another field than it speaks of"
    UNRESOLVED = "refers to a value that the record does not have"
    OPTION = "speaks of a size or color that was not asked for"
    SECTION = "names a policy section that was not found for the question"
    ADDRESS = "has a web or e-mail address that the record does not"


@dataclass(frozen=True)
class Check:
    """The outcome for one sentence: the source that supports it and the statements used, or the finding."""

    source: Source | None
    statements: tuple[Statement, ...] = ()
    finding: Finding | None = None

    @property
    def passed(self) -> bool:
        return self.finding is None
