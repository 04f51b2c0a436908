"""Any labelled file of messages through the classifier: how well are its intents told apart?"""

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evals.metrics import interval
from graph.build import read_messages
from graph.deps import Deps
from graph.desk import wish_of
from graph.routing import Route
from graph.turn import Message
from shopbot.errors import FeedError, InputError, RowError
from shopbot.intents import Scores

FALSE_REJECT_RATE = 0.05
MOST_CONFUSIONS = 12
COLUMNS = ("utterance", "intent")


@dataclass(frozen=True)
class Labelled:
    utterance: str
    intent: str


@dataclass(frozen=True)
class Predicted:
    """What the classifier says of n messages: the likeliest intent of each, and its score, (n,)."""

    intents: tuple[str, ...]
    scores: npt.NDArray[np.float32]

    @classmethod
    def of(cls, meant: Scores) -> "Predicted":
        labels = list(meant.labels)
        best = meant.values.argmax(axis=1)
        return cls(tuple(labels[place] for place in best), meant.values.max(axis=1))


def read_labelled(path: Path) -> list[Labelled]:
    """Read a CSV file with the columns `utterance` and `intent`; others are left alone.

    Raises InputError for a file that cannot be read or has no such columns, FeedError naming every row that lacks one
    of the two.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if missing := set(COLUMNS) - set(reader.fieldnames or ()):
                raise InputError("labelled", f"{path}: no column '{min(missing)}'; the first line has to name it")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("labelled", f"{path}: cannot be read as CSV in UTF-8 ({error})") from error
    wrong = [
        RowError(line, name, repr(row[name]), "is empty", "fill it in, or take the row out")
        for line, row in rows
        for name in COLUMNS
        if not (row[name] or "").strip()
    ]
    if wrong:
        raise FeedError(str(path), wrong)
    if not rows:
        raise InputError("labelled", f"{path}: has no rows")
    return [Labelled(row["utterance"].strip(), row["intent"].strip()) for _, row in rows]


def read_lines(path: Path) -> list[str]:
    """Read messages, one a line, empty lines left out. Raises InputError for a file that is no text or has none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("outside", f"{path}: cannot be read as text in UTF-8 ({error})") from error
    if not (messages := [line for line in lines if line.strip()]):
        raise InputError("outside", f"{path}: has no messages")
    return messages


def routed(deps: Deps, rows: Sequence[Labelled], progress: Callable[[str, int, int], None]) -> Predicted:
    """What the workflow makes of the messages: the route, of orders with what is wanted of them."""
    found = []
    for number, row in enumerate(rows, start=1):
        state = read_messages(deps, (Message(role="user", content=row.utterance),))
        label = wish_of(state) if state["route"] == Route.ORDER else state["route"].value
        found.append((label, max(state["route_scores"].values(), default=0.0)))
        progress("messages", number, len(rows))
    return Predicted(tuple(label for label, _ in found), np.asarray([score for _, score in found], np.float32))


def route_report(rows: Sequence[Labelled], predicted: Predicted) -> str:
    """The routes alone, and what is kept out: of what is not the shop's business, and of what is."""
    right = [_route(row.intent) == _route(said) for row, said in zip(rows, predicted.intents, strict=True)]
    declined = [_route(said) == Route.OTHER for said in predicted.intents]
    outside = [_route(row.intent) == Route.OTHER for row in rows]
    lines = [
        f"| right route | {_share(right)} |",
        f"| taken for none of the shop's business, of what is none | {_share(_where(declined, outside))} |",
        f"| the same, of what is | {_share(_where(declined, [not value for value in outside]))} |",
    ]
    return "\n".join(lines)


def _route(intent: str) -> str:
    return intent.partition(".")[0]


def _where(values: Sequence[bool], chosen: Sequence[bool]) -> list[bool]:
    return [value for value, is_chosen in zip(values, chosen, strict=True) if is_chosen]


def _share(values: Sequence[bool]) -> str:
    mean, low, high = interval([float(value) for value in values])
    return f"{mean:.1%} ({low:.1%} to {high:.1%}) of {len(values)}"


def report(rows: Sequence[Labelled], predicted: Predicted, outside: npt.NDArray[np.float32] | None = None) -> str:
    """Accuracy, macro-F1 and the commonest confusions, as Markdown.

    `outside` are the best scores of messages that belong to no intent, (m,): of these the share that a threshold keeps
    out which rejects FALSE_REJECT_RATE of the others.
    """
    from sklearn.metrics import f1_score

    true = [row.intent for row in rows]
    right = [float(a == b) for a, b in zip(true, predicted.intents, strict=True)]
    mean, low, high = interval(right)
    f1 = f1_score(true, predicted.intents, average="macro", zero_division=0)
    lines = ["| | |", "|---|---|", f"| messages | {len(rows)} |", f"| intents | {len(set(true))} |"]
    lines += [f"| accuracy | {mean:.1%} ({low:.1%} to {high:.1%}) |", f"| macro-F1 | {f1:.3f} |"]
    if outside is not None:
        threshold = float(np.quantile(predicted.scores, FALSE_REJECT_RATE))
        kept_out, low, high = interval((outside < threshold).astype(float).tolist())
        told = f"{kept_out:.1%} ({low:.1%} to {high:.1%}) of {len(outside)}, threshold {threshold:.2f}"
        lines.append(f"| kept out of what belongs to none, at {FALSE_REJECT_RATE:.0%} false rejects | {told} |")
    wrong = Counter((a, b) for a, b in zip(true, predicted.intents, strict=True) if a != b).most_common(MOST_CONFUSIONS)
    lines += ["", "| intent | taken for | times |", "|---|---|---|", *(f"| {a} | {b} | {n} |" for (a, b), n in wrong)]
    return "\n".join(lines)


def draw_confusion(rows: Sequence[Labelled], predicted: Predicted, path: Path) -> None:
    """Draw which intents are taken for which, each row summing to 1."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from sklearn.metrics import confusion_matrix

    true = [row.intent for row in rows]
    labels = sorted({*true, *predicted.intents})
    counts: Any = confusion_matrix(true, predicted.intents, labels=labels, normalize="true")
    size = max(4.0, 0.28 * len(labels))
    figure, axes = pyplot.subplots(figsize=(size + 2, size), layout="constrained")
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7)
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.set(xlabel="taken for", ylabel="intent")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
