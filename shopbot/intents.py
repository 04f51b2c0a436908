"""What a customer's message is about: a classifier fitted to the shop's example messages.

Labels name what is asked for:

    field.<name>     a field of a product's record
    unknown          something about a product that records do not say
    product          products in another way: which there are, which to take
    section.<id>     a policy section
    order.<what>     the customer's own orders: status, invoice, return, exchange, cancel, address, refund, other
    promotion, handoff, policy, other
"""

import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from shopbot.embedding import Embedder, Vectors
from shopbot.errors import ConfigError
from shopbot.shop import Shop
from shopbot.types import PolicySection
from shopbot.wording import Wording

FIELD, SECTION, UNKNOWN = "field.", "section.", "unknown"
# The kernel exp(KERNEL * (cosine - 1)) and the ridge: of 1, 2, 4 and 8, and .1, .3, 1 and 3, these gave the most right
# labels for a tenth of Cairn's 12,715 messages that was left out (71 %; logistic regression 66 %).
KERNEL = 2.0
RIDGE = 0.1
# How much of the kernel is shared words and pairs of words, beside the Gaussian's at most 1: docs/results/routing.md.
WORDS_SHARE = 0.3
STAND_IN = "it"
"""What stands for a product's name: what is asked of it does not depend on which one it is."""
AN_OPTION = "red"
# Patterns that ask for a field under another name.
_SAME_FIELD = {"stock_option": "stock"}
_NAME = re.compile(r"(?:\b(?:the|your|an?|this|that|these|those)\s+)?\{name\}", re.IGNORECASE)
_KEPT_FILES = 3
_ROWS_AT_A_TIME = 1000

Examples = Mapping[str, Sequence[str]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Scores:
    """How much n messages look like each of k labels: about 0 (not at all) to 1, (n, k).

    `cosines`, (n, k), are those of the nearest example of each label.
    """

    labels: Mapping[str, int]
    values: npt.NDArray[np.float32]
    cosines: npt.NDArray[np.float32]

    def of(self, label: str, message: int = 0) -> float:
        """The score of one label, 0 for one that has no examples."""
        return float(self.values[message, self.labels[label]]) if label in self.labels else 0.0

    def cosine(self, label: str, message: int = 0) -> float:
        """The cosine of the nearest example of one label, -1 for one that has none."""
        return float(self.cosines[message, self.labels[label]]) if label in self.labels else -1.0

    def total_of(self, start: str, message: int = 0) -> float:
        """The scores of all labels that start so, together: by linearity that of one label with all examples."""
        return float(sum(self.values[message, place] for name, place in self.labels.items() if name.startswith(start)))

    def best_label(self, start: str, message: int = 0) -> str:
        """The best of all labels that start so; "" where there is none."""
        fitting = [name for name in self.labels if name.startswith(start)]
        return max(fitting, key=lambda name: float(self.values[message, self.labels[name]]), default="")

    def best_of(self, start: str, message: int = 0) -> float:
        """The best score of all labels that start so, 0 where there is none."""
        return max(
            (float(self.values[message, p]) for name, p in self.labels.items() if name.startswith(start)), default=0.0
        )


@dataclass(frozen=True)
class Intents:
    """Kernel ridge regression on one-hot labels, in closed form.

    Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd ed., section 5.8. The kernel is a sum:
    the Gaussian one of the embeddings, which of unit vectors depends on the cosine alone, and WORDS_SHARE of the cosine
    of words and pairs of words.

    The n texts of `wording` and their `examples` (n, dimension), L2-normalised, are in order of their labels, `starts`
    are the first of each label, `weights` is (n, k), `means` (k,).
    """

    labels: tuple[str, ...]
    starts: npt.NDArray[np.intp]
    wording: Wording
    examples: Vectors
    weights: npt.NDArray[np.float32]
    means: npt.NDArray[np.float32]

    @classmethod
    def fit(cls, texts: Sequence[str], vectors: Vectors, labels: Sequence[str]) -> "Intents":
        """Fit to n texts, their (n, dimension) vectors and labels; needs 4 n^2 bytes, and seconds for 10,000."""
        from scipy.linalg import cho_factor, cho_solve

        order = np.argsort(np.asarray(labels), kind="stable")
        names, starts, owners = np.unique(np.asarray(labels)[order], return_index=True, return_inverse=True)
        rows = vectors[order].astype(np.float16).astype(np.float32)  # as they are kept
        target = np.eye(len(names), dtype=np.float32)[owners]
        means = target.mean(axis=0)
        said = [texts[place] for place in order]
        wording = Wording(said)
        gram = _kernel(rows @ rows.T)
        for start in range(0, len(said), _ROWS_AT_A_TIME):  # as a whole it would need as much memory again
            end = start + _ROWS_AT_A_TIME
            gram[start:end] += WORDS_SHARE * wording.cosines(said[start:end])
        gram[np.diag_indices(len(rows))] += RIDGE
        factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
        weights = cho_solve(factor, target - means, overwrite_b=True, check_finite=False)
        return cls(tuple(str(name) for name in names), starts, wording, rows, weights, means)

    @cached_property
    def places(self) -> dict[str, int]:
        return {label: place for place, label in enumerate(self.labels)}

    def read(self, texts: Sequence[str], vectors: Vectors) -> Scores:
        """Score n messages, names replaced by STAND_IN, by their texts and (n, dimension) L2-normalised vectors."""
        cosines = vectors @ self.examples.T
        nearest = np.maximum.reduceat(cosines, self.starts, axis=1)
        near = _kernel(cosines) + WORDS_SHARE * self.wording.cosines(texts)
        return Scores(self.places, near @ self.weights + self.means, nearest)

    def save(self, path: Path) -> None:
        """Write to a file, whole or not at all."""
        aside = path.with_name(f".{path.stem}-{os.getpid()}.npz")
        texts = np.frombuffer("\0".join(self.wording.texts).encode(), np.uint8)
        np.savez(
            aside, labels=np.asarray(self.labels), starts=self.starts, texts=texts,
            examples=self.examples.astype(np.float16), weights=self.weights, means=self.means,
        )  # fmt: skip
        os.replace(aside, path)

    @classmethod
    def load(cls, path: Path) -> "Intents":
        """Read what `save` wrote. Raises ConfigError for any other file, a damaged one included."""
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
                labels = tuple(str(label) for label in kept["labels"])
                examples = kept["examples"].astype(np.float32)
                wording = Wording(kept["texts"].tobytes().decode().split("\0"))
                return cls(labels, kept["starts"], wording, examples, kept["weights"], kept["means"])
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise ConfigError(f"{path}: is no fitted classifier; fit it again ({error})") from error


def _kernel(cosines: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """In place: the kernel of unit vectors from their cosines."""
    cosines -= 1
    cosines *= KERNEL
    return np.exp(cosines, out=cosines)


def examples_of(shop: Shop, policies: Iterable[PolicySection]) -> dict[str, tuple[str, ...]]:
    """The example messages of a shop's folder, and of policies as a catalog version has them, by label."""
    found: dict[str, list[str]] = {}
    for route, utterances in shop.routes.items():
        found.setdefault(route, []).extend(utterances)
    for name, patterns in shop.questions.fields.items():
        asked = found.setdefault(FIELD + _SAME_FIELD.get(name, name), [])
        asked += [about_it(text) for text in (*patterns.questions, *patterns.follow_ups)]
    if shop.questions.unknown:
        found[UNKNOWN] = [about_it(item.ask) for item in shop.questions.unknown]
    for section in policies:
        found[SECTION + section.id] = [section.heading, *section.questions]
    return {label: tuple(dict.fromkeys(texts)) for label, texts in sorted(found.items()) if texts}


def about_it(pattern: str) -> str:
    """A pattern of a question with its placeholders filled: "is the {name} warm" -> "is it warm"."""
    return _NAME.sub(STAND_IN, pattern).replace("{option}", AN_OPTION)


def fold_of(text: str, folds: int) -> int:
    """In which of so many parts an example is, whatever else there is."""
    return zlib.crc32(text.encode()) % folds


def without_fold(examples: Examples, fold: int, folds: int) -> dict[str, list[str]]:
    """The examples less those of one part: what is fitted to them has not seen it."""
    kept = {label: [text for text in texts if fold_of(text, folds) != fold] for label, texts in examples.items()}
    return {label: texts for label, texts in kept.items() if texts}


def fit_intents(examples: Examples, embedder: Embedder, progress: Progress | None = None) -> Intents:
    texts = [text for asked in examples.values() for text in asked]
    labels = [label for label, asked in examples.items() for _ in asked]
    return Intents.fit(texts, embedder.embed(texts, progress), labels)


def open_intents(examples: Examples, embedder: Embedder, folder: Path, progress: Progress | None = None) -> Intents:
    """The classifier of these examples from `folder`; fitted and kept there if it is not yet there.

    Embedding 10,000 messages takes half a minute on two cores, hence the file. Named by everything that it depends
    on, it is never stale; the oldest are removed.
    """
    path = folder / f"{_digest(examples, embedder)}.npz"
    with suppress(ConfigError):  # damaged, or not yet there: fitted again
        kept = Intents.load(path)
        os.utime(path)
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    fitted = fit_intents(examples, embedder, progress)
    fitted.save(path)
    for old in sorted(folder.glob("[!.]*.npz"), key=lambda file: -file.stat().st_mtime)[_KEPT_FILES:]:
        old.unlink(missing_ok=True)
    return fitted


def _digest(examples: Examples, embedder: Embedder) -> str:
    digest = hashlib.sha256(f"{embedder.name}/{embedder.revision}/{KERNEL}/{RIDGE}/{WORDS_SHARE}".encode())
    for label, texts in sorted(examples.items()):
        digest.update("\0".join([label, *texts, "\n"]).encode())
    return digest.hexdigest()[:16]
