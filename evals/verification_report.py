"""What the check is worth, as tables and a picture: every rate with its exact 95 % interval."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from evals.corruptions import KINDS
from evals.metrics import exact_interval
from evals.verification import Judged, Measured


def tables(measured: Mapping[str, Measured]) -> str:
    """The report in Markdown, one section a set."""
    return "\n".join(
        f"## The {name} set\n\n{_rejected(found)}\n\n{_caught(found)}\n" for name, found in measured.items()
    )


def _rejected(found: Measured) -> str:
    """Right answers and sentences that were held back, and the time that a sentence takes."""
    answers: dict[str, bool] = {}
    for item in found.right:
        answers[item.answer.id] = answers.get(item.answer.id, True) and item.passed
    times = sorted(item.took_ms for item in (*found.right, *found.wrong))
    p50, p95 = statistics.median(times), times[int(0.95 * len(times))]
    return "\n".join(
        [
            "| | n | held back | 95 % interval |",
            "|---|---|---|---|",
            _share("right answers", [not passed for passed in answers.values()]),
            _share("right sentences", [not item.passed for item in found.right]),
            "",
            f"Time per sentence: {p50:.1f} ms (median), {p95:.1f} ms (95th percentile).",
        ]
    )


def _caught(found: Measured) -> str:
    """By kind: all that is wrong, and what was let through while it was right, where a catch proves something."""
    lines = [
        "| made wrong | n | caught | 95 % interval | n, let through when right | caught | 95 % interval |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in (*KINDS, "all"):
        chosen = [item for item in found.wrong if kind in (item.kind, "all")]
        if chosen:
            lines.append(_share(kind, _held(chosen)) + _cells(_held([item for item in chosen if item.was_right])))
    dropped = ", ".join(f"{kind} {count}" for kind, count in sorted(found.dropped.items()))
    return "\n".join([*lines, "", f"Left out because they stayed true: {dropped or 'none'}."])


def _held(items: Sequence[Judged]) -> list[bool]:
    return [not item.passed for item in items]


def _share(name: str, values: Sequence[bool]) -> str:
    return f"| {name} |{_cells(values)}"


def _cells(values: Sequence[bool]) -> str:
    if not values:
        return " 0 | | |"
    low, high = exact_interval(sum(values), len(values))
    return f" {len(values)} | {sum(values) / len(values):.1%} | {low:.1%} to {high:.1%} |"


def mistakes(measured: Mapping[str, Measured]) -> Iterator[dict[str, object]]:
    """Every wrong sentence that passed; of the right ones held back only those that may be read, which the test set's
    may not.
    """
    for name, found in measured.items():
        readable = found.right if name == "development" else ()
        for item in (*(item for item in found.wrong if item.passed), *(item for item in readable if not item.passed)):
            yield {
                "set": name, "answer": item.answer.id, "kind": item.kind or "right", "finding": item.finding,
                "records": item.answer.records, "sentence": item.answer.sentences[item.at],
            }  # fmt: skip


def draw(found: Measured, path: Path) -> None:
    """Draw the share caught by kind, with intervals, and the share of right sentences let through."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups = {kind: _held([item for item in found.wrong if item.kind == kind]) for kind in reversed(KINDS)}
    groups = {"right, let through": [item.passed for item in found.right], **{k: v for k, v in groups.items() if v}}
    figure, axes = pyplot.subplots(figsize=(7, 0.32 * len(groups) + 1), layout="constrained")
    for row, values in enumerate(groups.values()):
        mean, (low, high) = sum(values) / len(values), exact_interval(sum(values), len(values))
        axes.errorbar(mean, row, xerr=[[mean - low], [high - mean]], fmt="o", color="C0" if row else "C1", capsize=3)
    axes.set_yticks(range(len(groups)), [f"{name} ({len(values)})" for name, values in groups.items()])
    axes.set(xlim=(0, 1.02), xlabel="share, with 95 % interval")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
