"""Checks that stop a bad training set: each problem names the example and what to do."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz, process

from finetune.examples import TrainingExample
from shopbot.embedding import Embedder
from shopbot.language import fold, words
from shopbot.references import REFERENCE

# An evaluation question this close to a training question of the same records counts as the same phrasing. Between
# questions about the same policy section, written apart from each other, the 99th percentile is .90 (MiniLM).
LEAK_COSINE = 0.95
NEAR_DUPLICATE_RATIO = 97.0
LEAST_KIND_SHARE = 0.01
MOST_KIND_SHARE = 0.5
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_PHONE = re.compile(r"(?<![\w.])\+?\d[\d ()-]{7,}\d(?!\w)")
_CARD = re.compile(r"\b(?:\d[ -]?){13,16}\b")


@dataclass(frozen=True)
class HeldApart:
    """What must not come into training: the evaluation's products, and its questions with their section, if any."""

    products: frozenset[str]
    titles: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    check: str
    example: str
    text: str

    def __str__(self) -> str:
        return f"{self.check}: {self.example}: {self.text}"


def check_examples(
    examples: Sequence[TrainingExample], held_apart: HeldApart, allowed_contacts: Iterable[str], embedder: Embedder
) -> list[Problem]:
    """Return every problem of a training set; an empty list means that it may be trained on."""
    return [
        *_schema(examples),
        *_duplicates(examples),
        *_personal_data(examples, allowed_contacts),
        *_balance(examples),
        *_leaks(examples, held_apart, embedder),
    ]


def _schema(examples: Sequence[TrainingExample]) -> Iterable[Problem]:
    for example in examples:
        if not example.answer.strip():
            yield Problem("schema", example.id, "the answer is empty")
        if [message.role for message in example.prompt][-1] != "user":
            yield Problem("schema", example.id, "the prompt has to end with the customer's message")
        numbers = {int(match[1]) for match in REFERENCE.finditer(example.answer)}
        if numbers - set(range(1, len(example.products) + len(example.sections) + 1)):
            yield Problem("schema", example.id, "refers to a record that is not in its prompt")
        if "{" in REFERENCE.sub("", example.answer):
            yield Problem("schema", example.id, "has a placeholder that is no reference")


def _duplicates(examples: Sequence[TrainingExample]) -> Iterable[Problem]:
    """The same prompt twice; or, within a kind, almost the same question over the same records."""
    seen: dict[str, str] = {}
    for example in examples:
        key = " ".join(words(example.prompt[-1].content))
        if key in seen:
            yield Problem("duplicate", example.id, f"has the same prompt as {seen[key]}; drop one")
        seen.setdefault(key, example.id)


def near_duplicates(examples: Sequence[TrainingExample]) -> int:
    """How many written questions are almost the same as another one (counted for the card, not refused)."""
    written = [fold(example.question) for example in examples if example.tool == "conversations"]
    near = 0
    for place, question in enumerate(written):
        others = written[place + 1 :]
        near += process.extractOne(question, others, scorer=fuzz.ratio, score_cutoff=NEAR_DUPLICATE_RATIO) is not None
    return near


def _personal_data(examples: Sequence[TrainingExample], allowed_contacts: Iterable[str]) -> Iterable[Problem]:
    allowed = set(allowed_contacts)
    for example in examples:
        text = f"{example.question} {example.answer}"
        for found in (*_EMAIL.findall(text), *_PHONE.findall(text), *_CARD.findall(text)):
            if found.rstrip(".").strip() not in allowed:
                yield Problem("personal data", example.id, f"has {found.strip()!r}; replace it")


def _balance(examples: Sequence[TrainingExample]) -> Iterable[Problem]:
    counts = Counter(example.kind for example in examples)
    for kind, count in counts.items():
        share = count / len(examples)
        if not LEAST_KIND_SHARE <= share <= MOST_KIND_SHARE:
            yield Problem("balance", kind, f"makes {share:.1%} of the examples; between 1 % and 50 % was expected")


def _leaks(examples: Sequence[TrainingExample], held_apart: HeldApart, embedder: Embedder) -> Iterable[Problem]:
    """By id, by name and text, and by the embedding of the question."""
    asked = {" ".join(words(question)) for question in held_apart.questions}
    titles = [fold(title) for title in held_apart.titles]
    for example in examples:
        if leaked := held_apart.products & set(example.products):
            yield Problem("leak", example.id, f"uses product {min(leaked)}, which is kept for evaluation")
        text = fold(f"{example.question} {example.answer}")
        if named := next((title for title in titles if title in text), None):
            yield Problem("leak", example.id, f"names {named!r}, which is kept for evaluation")
        if " ".join(words(example.question)) in asked:
            yield Problem("leak", example.id, "asks an evaluation question word for word")
    yield from _near_phrasings(examples, held_apart, embedder)


def _near_phrasings(
    examples: Sequence[TrainingExample], held_apart: HeldApart, embedder: Embedder
) -> Iterable[Problem]:
    questions = list(dict.fromkeys(example.question for example in examples))
    if not held_apart.questions or not questions:
        return
    cosines = embedder.embed(questions) @ embedder.embed(list(held_apart.questions)).T
    ids = {example.question: example.id for example in examples}
    for place in np.flatnonzero(cosines.max(axis=1) >= LEAK_COSINE):
        nearest = held_apart.questions[int(cosines[place].argmax())]
        yield Problem("leak", ids[questions[place]], f"is phrased like the evaluation question {nearest!r}")
