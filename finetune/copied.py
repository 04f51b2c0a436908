"""Values copied in place of references: the other way to answer from records, kept for the comparison.

docs/results/training.md has the figures of both.
"""

from collections.abc import Mapping

from shopbot.language import split_sentences
from shopbot.references import REFERENCE, references, value_of
from shopbot.statements import Source


def with_values(answer: str, sources: Mapping[int, Source], locale: str) -> str:
    """The answer with the values that it refers to, each sentence citing its record; what has none stays as it was."""
    return " ".join(_copied(sentence, sources, locale) for sentence in split_sentences(answer))


def _copied(sentence: str, sources: Mapping[int, Source], locale: str) -> str:
    referred = references(sentence)
    values = [value_of(reference, sources[reference.number], locale, sentence) for reference in referred]
    if not referred or None in values:
        return sentence
    said = iter(values)
    text = REFERENCE.sub(lambda _: next(said) or "", sentence)
    cited = "".join(f" [{number}]" for number in dict.fromkeys(reference.number for reference in referred))
    return f"{text.rstrip('.')}{cited}."
