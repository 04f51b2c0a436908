"""Outcomes as tables and a picture: every figure with its 95 % interval."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evals.cases import ANSWERED, SLICES, UNANSWERED, Case
from evals.metrics import (
    abstains,
    bleu,
    citation_right,
    facts_right,
    grounded_share,
    in_voice,
    interval,
    paired_interval,
    rouge_l,
    token_f1,
    upper_bound_of_none,
)
from evals.runs import Answer, Outcome

CELLS: dict[str, Callable[[Outcome], Answer]] = {
    "without retrieval, as written": lambda outcome: outcome.alone_draft,
    "without retrieval, checked": lambda outcome: outcome.alone_shown,
    "with retrieval, as written": lambda outcome: outcome.draft,
    "with retrieval, checked": lambda outcome: outcome.shown,
}
AS_WRITTEN, CHECKED = "with retrieval, as written", "with retrieval, checked"


def is_right(case: Case, answer: Answer) -> bool:
    """What the case asks for is said; or, where nothing can be, the answer says that."""
    return abstains(answer.text) if case.slice in UNANSWERED else facts_right(case, answer.text)


def is_wrong(outcome: Outcome, answer: Answer) -> bool:
    """A number, or a state of the stock, that the case's record does not have; a clumsy answer is not a wrong one."""
    if outcome.case.slice not in ANSWERED:
        return False
    states = {"in stock": "sold out", "sold out": "in stock"}
    wanted = {key for keys in outcome.case.expects for key in keys}
    denied = [states[key] for key in wanted & set(states) if states[key] not in wanted]
    contradicts = any(
        state in answer.text and not wanted & set(states) <= set(_said(answer.text, wanted)) for state in denied
    )
    return contradicts or grounded_share(answer.text, outcome.material) < 1.0


def _said(text: str, keys: set[str]) -> list[str]:
    return [key for key in keys if key in text]


def tables(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """The report in Markdown; `outcomes` by arm, over the same cases in the same order."""
    parts = [_headline(outcomes), _by_slice(outcomes), _quality(outcomes), _checked(outcomes), _differences(outcomes)]
    if any(o.case.group for found in outcomes.values() for o in found):
        parts.append(robustness(outcomes))
    return "\n\n".join(parts) + "\n"


def _figure(values: Sequence[float]) -> str:
    if not values:
        return ""
    mean, low, high = interval(values)
    return f"{mean:.1%} ({low:.0%} to {high:.0%})".replace("%", " %")


def _headline(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    arms = list(outcomes)
    lines = [
        f"## Right answers, all {len(outcomes[arms[0]])} cases",
        "",
        f"| | {' | '.join(arms)} |",
        f"|---|{'---|' * len(arms)}",
    ]
    for name, cell in CELLS.items():
        row = [_figure([is_right(o.case, cell(o)) for o in outcomes[arm]]) for arm in arms]
        lines.append(f"| {name} | {' | '.join(row)} |")
    return "\n".join(lines)


def _by_slice(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    head = [f"{arm}, {name}" for arm in outcomes for name in CELLS]
    lines = ["## By slice", "", f"| slice | n | {' | '.join(head)} |", f"|---|---|{'---|' * len(head)}"]
    first = next(iter(outcomes.values()))
    for name in SLICES:
        count = sum(outcome.case.slice == name for outcome in first)
        if not count:
            continue
        row = [
            f"{np.mean([is_right(o.case, cell(o)) for o in found if o.case.slice == name]):.0%}".replace("%", " %")
            for found in outcomes.values()
            for cell in CELLS.values()
        ]
        lines.append(f"| {name} | {count} | {' | '.join(row)} |")
    return "\n".join(lines)


def _quality(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """Citations, voice and grounding of what the model wrote with retrieval, before the check."""
    lines = ["## As written, with retrieval", "", f"| | {' | '.join(outcomes)} |", f"|---|{'---|' * len(outcomes)}"]
    rows: dict[str, Callable[[Outcome], float | None]] = {
        "right record cited": lambda o: citation_right(o.case, o.draft.cited) if _is_asked(o) else None,
        "in the brand's voice": lambda o: in_voice(o.draft.text) if o.was_asked else None,
        "all numbers from the record": lambda o: (
            float(grounded_share(o.draft.text, o.material) == 1) if _is_asked(o) else None
        ),
        "answered though nothing can be": lambda o: not abstains(o.draft.text) if o.case.slice in UNANSWERED else None,
        "abstained though it could answer": lambda o: abstains(o.draft.text) if o.case.slice in ANSWERED else None,
    }
    for name, score in rows.items():
        row = [_figure([float(v) for o in found if (v := score(o)) is not None]) for found in outcomes.values()]
        lines.append(f"| {name} | {' | '.join(row)} |")
    policies = {arm: [o for o in found if o.case.slice == "policy"] for arm, found in outcomes.items()}
    if all(policies.values()):
        pairs = {arm: [(_plain(o.draft.text), _section_text(o)) for o in found] for arm, found in policies.items()}
        scores: dict[str, Callable[[list[tuple[str, str]]], float]] = {
            "policies: ROUGE-L against the section": lambda p: float(np.mean([rouge_l(*pair) for pair in p])),
            "policies: token F1 against the section": lambda p: float(np.mean([token_f1(*pair) for pair in p])),
            "policies: BLEU against the section": lambda p: bleu([a for a, _ in p], [b for _, b in p]) / 100,
        }
        for name, measure in scores.items():
            lines.append(f"| {name} | {' | '.join(f'{measure(found):.2f}' for found in pairs.values())} |")
    tokens = [
        f"{np.median([o.result.tokens.prompt or 0 for o in found if o.was_asked]):.0f}" for found in outcomes.values()
    ]
    lines.append(f"| prompt tokens a turn, median | {' | '.join(tokens)} |")
    whole = [
        f"{np.median([o.result.timings_ms.total for o in found if o.was_asked]):.0f} ms" for found in outcomes.values()
    ]
    lines.append(f"| whole turn, median | {' | '.join(whole)} |")
    return "\n".join(lines)


def _plain(text: str) -> str:
    return re.sub(r"\[[^\]]*\]", "", text)


def _section_text(outcome: Outcome) -> str:
    return outcome.material.split("\n", len(outcome.case.messages))[-1]


def _is_asked(outcome: Outcome) -> bool:
    return outcome.was_asked and outcome.case.slice in ANSWERED


def _checked(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """What customers see: nothing wrong, how much of it the model wrote, how often records had to answer alone."""
    lines = ["## As shown", "", f"| | {' | '.join(outcomes)} |", f"|---|{'---|' * len(outcomes)}"]
    wrong = []
    for found in outcomes.values():
        answered = [o for o in found if o.case.slice in ANSWERED]
        count = sum(is_wrong(o, o.shown) for o in answered)
        bound = f", upper bound {upper_bound_of_none(len(answered)):.2%}".replace("%", " %") if count == 0 else ""
        wrong.append(f"{count} of {len(answered)}{bound}")
    lines.append(f"| answers with a number or stock that is not the record's | {' | '.join(wrong)} |")
    share = [_figure([o.result.model_share for o in found if o.was_asked]) for found in outcomes.values()]
    lines.append(f"| share of the sentences that the model wrote, where it was asked | {' | '.join(share)} |")
    fallback = [_figure([float(o.result.fallback) for o in found if o.was_asked]) for found in outcomes.values()]
    lines.append(f"| answered by the records alone, where it was asked | {' | '.join(fallback)} |")
    return "\n".join(lines)


def _differences(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """The hybrid against each of its parts, paired by case."""
    if set(outcomes) != {"base", "tuned"}:
        return ""
    hybrid = [float(is_right(o.case, o.draft)) for o in outcomes["tuned"]]
    parts = {
        "tuned with retrieval against base with retrieval": [
            float(is_right(o.case, o.draft)) for o in outcomes["base"]
        ],
        "tuned with retrieval against tuned without": [
            float(is_right(o.case, o.alone_draft)) for o in outcomes["tuned"]
        ],
    }
    lines = ["## The hybrid against its parts, as written", ""]
    for name, other in parts.items():
        mean, low, high = (100 * value for value in paired_interval(other, hybrid))
        lines.append(f"- {name}: {mean:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}")
    return "\n".join(lines)


def draw(outcomes: Mapping[str, Sequence[Outcome]], path: Path) -> None:
    """Draw the share of right answers of every cell, with its interval."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3.6), layout="constrained")
    height = 0.8 / len(outcomes)
    for place, (arm, found) in enumerate(outcomes.items()):
        marks = [interval([float(is_right(o.case, cell(o))) for o in found]) for cell in CELLS.values()]
        means = [100 * mean for mean, _, _ in marks]
        errors: Any = [[100 * (m - low) for m, low, _ in marks], [100 * (high - m) for m, _, high in marks]]
        rows = [number + place * height for number in range(len(CELLS))]
        axes.barh(rows, means, height, xerr=errors, label=arm, color=["#9ab", "#b04020"][place % 2])
    axes.set_yticks([number + 0.4 - height / 2 for number in range(len(CELLS))], list(CELLS))
    axes.invert_yaxis()
    axes.set(xlabel="right answers, %", xlim=(0, 100))
    axes.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def as_rows(outcomes: Mapping[str, Sequence[Outcome]]) -> list[dict[str, Any]]:
    """One line a case and arm, for reading what was said."""
    return [
        {
            "id": o.case.id, "arm": arm, "slice": o.case.slice, "question": o.case.question,
            "expects": o.case.expects, "role": o.result.role, "asked": o.was_asked,
            "draft": o.draft.text, "draft_right": is_right(o.case, o.draft), "cited": o.draft.cited,
            "shown": o.shown.text, "shown_right": is_right(o.case, o.shown), "wrong": is_wrong(o, o.shown),
            "verdict": o.result.verdict, "model_share": o.result.model_share, "findings": o.result.findings,
            "alone": o.alone_draft.text,
        }
        for arm, found in outcomes.items()
        for o in found
    ]  # fmt: skip


def robustness(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """Paraphrases: groups answered right throughout; variants: each against the standard wording, paired."""
    lines = ["## Paraphrases and ways of writing, as shown", "", f"| | {' | '.join(outcomes)} |"]
    lines.append(f"|---|{'---|' * len(outcomes)}")
    groups = [_groups(found, "paraphrase") for found in outcomes.values()]
    consistent = [
        _figure([float(all(group.values()) or not any(group.values())) for group in found]) for found in groups
    ]
    lines.append(f"| paraphrase groups of one mind | {' | '.join(consistent)} |")
    variants = sorted({o.case.variant for found in outcomes.values() for o in found if o.case.variant} - {"standard"})
    for variant in variants:
        row = []
        for found in outcomes.values():
            pairs = [(g["standard"], g[variant]) for g in _groups(found, "bias") if variant in g and "standard" in g]
            if not pairs:
                row.append("")
                continue
            mean, low, high = paired_interval([float(a) for a, _ in pairs], [float(b) for _, b in pairs])
            row.append(f"{100 * mean:+.0f} points ({100 * low:+.0f} to {100 * high:+.0f})")
        lines.append(f"| {variant.replace('_', ' ')} against standard | {' | '.join(row)} |")
    return "\n".join(lines)


def _groups(found: Sequence[Outcome], slice_name: str) -> list[dict[str, bool]]:
    """Right or not by variant (or case), for every group of a slice."""
    groups: dict[str, dict[str, bool]] = {}
    for o in found:
        if o.case.slice == slice_name and o.case.group:
            groups.setdefault(o.case.group, {})[o.case.variant or o.case.id] = is_right(o.case, o.shown)
    return list(groups.values())
