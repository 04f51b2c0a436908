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
    true_of_cited,
    upper_bound,
)
from evals.runs import Answer, Outcome

CELLS: dict[str, Callable[[Outcome], Answer | None]] = {
    "without retrieval, as written": lambda outcome: outcome.alone_draft,
    "without retrieval, checked": lambda outcome: outcome.alone_shown,
    "with retrieval, as written": lambda outcome: outcome.draft,
    "with retrieval, checked": lambda outcome: outcome.shown,
}
AS_WRITTEN, CHECKED = "with retrieval, as written", "with retrieval, checked"
Outcomes = Mapping[str, Sequence[Outcome]]
Score = Callable[[Outcome], float | None]


def is_right(case: Case, answer: Answer) -> bool:
    """What the case asks for is said; or, where nothing can be, the answer says that."""
    return abstains(answer.text) if case.slice in UNANSWERED else facts_right(case, answer.text)


def is_wrong(outcome: Outcome, answer: Answer) -> bool:
    """A number, or a state of the stock, that the case's record does not have; a clumsy answer is not a wrong one."""
    if outcome.case.slice not in ANSWERED:
        return False
    opposite = {"in stock": "sold out", "sold out": "in stock"}
    wanted = {key for keys in outcome.case.expects for key in keys} & set(opposite)
    said = _states(answer.text)
    denied = {opposite[state] for state in wanted} - wanted
    contradicts = bool(denied & said) and not wanted <= said
    return contradicts or grounded_share(answer.text, outcome.material) < 1.0


def _states(text: str) -> set[str]:
    plain = text.lower().replace("not in stock", "sold out").replace("out of stock", "sold out")
    return {state for state in ("in stock", "sold out") if state in plain}


def tables(outcomes: Outcomes) -> str:
    """The report in Markdown; `outcomes` by arm, over the same cases in the same order."""
    parts = [_headline(outcomes), _by_slice(outcomes), _quality(outcomes), _policies(outcomes), _checked(outcomes)]
    parts += [_differences(outcomes), robustness(outcomes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _figure(values: Sequence[float]) -> str:
    if not values:
        return ""
    mean, low, high = interval(values)
    return f"{mean:.1%} ({low:.0%} to {high:.0%})".replace("%", " %")


def _rights(found: Sequence[Outcome], cell: Callable[[Outcome], Answer | None]) -> list[float]:
    return [float(is_right(o.case, answer)) for o in found if (answer := cell(o)) is not None]


def _measured(outcomes: Outcomes) -> dict[str, Callable[[Outcome], Answer | None]]:
    """The cells that have answers."""
    return {name: cell for name, cell in CELLS.items() if any(_rights(found, cell) for found in outcomes.values())}


def _rows(outcomes: Outcomes, heading: str, rows: Mapping[str, Score], more: Sequence[str] = ()) -> str:
    """A table of shares with intervals, a column an arm, and `more` rows; those without any score are left out."""
    lines = [f"## {heading}", "", f"| | {' | '.join(outcomes)} |", f"|---|{'---|' * len(outcomes)}"]
    for name, score in rows.items():
        row = [_figure([float(v) for o in found if (v := score(o)) is not None]) for found in outcomes.values()]
        if any(row):
            lines.append(f"| {name} | {' | '.join(row)} |")
    lines += more
    return "\n".join(lines) if len(lines) > 4 else ""


def _median(found: Sequence[Outcome], value: Callable[[Outcome], float | None]) -> float:
    return float(np.median([v for o in found if (v := value(o)) is not None] or [0.0]))


def _headline(outcomes: Outcomes) -> str:
    count = len(next(iter(outcomes.values())))
    rows: dict[str, Score] = {
        name: lambda o, cell=cell: None if (a := cell(o)) is None else float(is_right(o.case, a))  # type: ignore[misc]
        for name, cell in CELLS.items()
    }
    return _rows(outcomes, f"Right answers, all {count} cases", rows)


def _by_slice(outcomes: Outcomes) -> str:
    cells = _measured(outcomes)
    head = [f"{arm}, {name}" for arm in outcomes for name in cells]
    lines = ["## By slice", "", f"| slice | n | {' | '.join(head)} |", f"|---|---|{'---|' * len(head)}"]
    first = next(iter(outcomes.values()))
    for name in SLICES:
        count = sum(outcome.case.slice == name for outcome in first)
        if not count:
            continue
        row = [
            f"{np.mean(_rights([o for o in found if o.case.slice == name], cell)):.0%}".replace("%", " %")
            for found in outcomes.values()
            for cell in cells.values()
        ]
        lines.append(f"| {name} | {count} | {' | '.join(row)} |")
    return "\n".join(lines)


def _quality(outcomes: Outcomes) -> str:
    """Citations, voice and grounding of what the model wrote with retrieval, before the check."""
    asked = [[o for o in found if o.was_asked] for found in outcomes.values()]
    tokens = [f"{_median(found, lambda o: o.result.tokens.prompt):.0f}" for found in asked]
    whole = [f"{_median(found, lambda o: o.result.timings_ms.total):.0f} ms" for found in asked]
    lines = [
        f"| prompt tokens a turn, median | {' | '.join(tokens)} |",
        f"| whole turn, median | {' | '.join(whole)} |",
    ]
    return _rows(
        outcomes,
        "As written, with retrieval",
        {
            "facts of products right": lambda o: _right_in(o, "facts", "multi_turn"),
            "policies right": lambda o: _right_in(o, "policy"),
            "right record cited": lambda o: citation_right(o.case, o.draft.cited) if _is_asked(o) else None,
            "abstains where nothing can be answered": lambda o: (
                float(abstains(o.draft.text)) if o.case.slice in UNANSWERED else None
            ),
            "abstains though it could answer": lambda o: (
                float(abstains(o.draft.text)) if o.case.slice in ANSWERED else None
            ),
            "in the brand's voice": lambda o: in_voice(o.draft.text) if o.was_asked else None,
            "all numbers from the record": lambda o: (
                float(grounded_share(o.draft.text, o.material) == 1) if _is_asked(o) else None
            ),
        },
        lines,
    )


def _right_in(outcome: Outcome, *slices: str) -> float | None:
    return float(is_right(outcome.case, outcome.draft)) if outcome.case.slice in slices else None


def _policies(outcomes: Outcomes) -> str:
    """Policies in the ways that they can be asked, and what each way takes; empty without policy cases."""
    asked = {arm: [o for o in found if o.case.slice == "policy" and o.was_asked] for arm, found in outcomes.items()}
    if not all(asked.values()):
        return ""
    table = _rows(
        {arm: [o for o in found if o.case.slice == "policy"] for arm, found in outcomes.items()},
        "Policies, as written",
        {
            "as served (tuned: from the weights with hints; base: over the lines found)": lambda o: is_right(
                o.case, o.draft
            ),
            "the question alone": lambda o: None if o.alone_draft is None else is_right(o.case, o.alone_draft),
            "over the text of the sections found": lambda o: (
                None if o.text_draft is None else is_right(o.case, o.text_draft)
            ),
        },
    )
    pairs = {arm: [(_plain(o.draft.text), _section_text(o)) for o in found] for arm, found in asked.items()}
    scores: dict[str, Callable[[list[tuple[str, str]]], str]] = {
        "ROUGE-L against the section": lambda p: f"{np.mean([rouge_l(*pair) for pair in p]):.2f}",
        "token F1 against the section": lambda p: f"{np.mean([token_f1(*pair) for pair in p]):.2f}",
        "BLEU against the section": lambda p: f"{bleu([a for a, _ in p], [b for _, b in p]) / 100:.2f}",
    }
    lines = [f"| {name} | {' | '.join(show(found) for found in pairs.values())} |" for name, show in scores.items()]
    for name, value, unit in _COSTS:
        lines.append(f"| {name} | {' | '.join(f'{_median(found, value):.0f}{unit}' for found in asked.values())} |")
    return "\n".join([table, *lines, *_policy_ratios(asked)])


_COSTS: tuple[tuple[str, Callable[[Outcome], float | None], str], ...] = (
    ("prompt tokens, median", lambda o: o.result.tokens.prompt, ""),
    ("first sentence, median", lambda o: o.result.timings_ms.first_sentence, " ms"),
    ("whole turn, median", lambda o: o.result.timings_ms.total, " ms"),
)


def _policy_ratios(asked: Outcomes) -> list[str]:
    """Base over tuned, of the same run."""
    if not {"base", "tuned"} <= set(asked):
        return []
    ratios = [
        f"{name.split(',')[0]} {_median(asked['base'], value) / max(_median(asked['tuned'], value), 1e-9):.1f} times"
        for name, value, _ in _COSTS
    ]
    return ["", f"The base takes of what the tuned model takes: {', '.join(ratios)}."]


def _plain(text: str) -> str:
    return re.sub(r"\[[^\]]*\]", "", text)


def _section_text(outcome: Outcome) -> str:
    return outcome.material.split("\n", len(outcome.case.messages))[-1]


def _is_asked(outcome: Outcome) -> bool:
    return outcome.was_asked and outcome.case.slice in ANSWERED


def _is_right_draft(outcome: Outcome) -> bool:
    """Whether a draft says what is asked for and, where there is one, names the right record."""
    cites = outcome.case.slice not in ANSWERED or citation_right(outcome.case, outcome.draft.cited)
    return bool(cites) and is_right(outcome.case, outcome.draft)


def _checked(outcomes: Outcomes) -> str:
    """What customers see: nothing wrong, how much of it the model wrote, how often records had to answer alone."""
    answered = [[o for o in found if o.case.slice in ANSWERED] for found in outcomes.values()]
    false = [_counted([not true_of_cited(o.shown.text, o.records) for o in found]) for found in outcomes.values()]
    beside = [_counted([is_wrong(o, o.shown) for o in found]) for found in answered]
    wrong_rows = [
        f"| answers with a number that the record they cite does not have | {' | '.join(false)} |",
        f"| answers with a number or stock that the record asked about does not have | {' | '.join(beside)} |",
    ]
    return _rows(
        outcomes,
        "As shown",
        {
            "share of the sentences that the model wrote, where it was asked": lambda o: (
                o.result.model_share if o.was_asked else None
            ),
            "answered by the records alone, where it was asked": lambda o: (
                float(o.result.fallback) if o.was_asked else None
            ),
            "right drafts of which a sentence was held back": lambda o: (
                float(bool(o.result.findings)) if o.was_asked and _is_right_draft(o) else None
            ),
        },
        wrong_rows,
    )


def _counted(found: Sequence[bool]) -> str:
    """ "0 of 160, upper bound 1.85 %": how often, and how often it may be where it never was."""
    bound = f", upper bound {upper_bound(0, len(found)):.2%}".replace("%", " %") if found and not any(found) else ""
    return f"{sum(found)} of {len(found)}{bound}"


def _differences(outcomes: Outcomes) -> str:
    """The hybrid against each of its parts, paired by case."""
    if set(outcomes) != {"base", "tuned"}:
        return ""
    hybrid = [float(is_right(o.case, o.draft)) for o in outcomes["tuned"]]
    parts = {
        "tuned with retrieval against base with retrieval": _rights(outcomes["base"], CELLS[AS_WRITTEN]),
        "tuned with retrieval against tuned without": _rights(outcomes["tuned"], lambda o: o.alone_draft),
    }
    lines = ["## The hybrid against its parts, as written", ""]
    for name, other in parts.items():
        if other:
            mean, low, high = (100 * value for value in paired_interval(other, hybrid))
            lines.append(f"- {name}: {mean:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}")
    return "\n".join(lines)


def draw(outcomes: Outcomes, path: Path) -> None:
    """Draw the share of right answers of every cell, with its interval."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3.6), layout="constrained")
    height = 0.8 / len(outcomes)
    cells = _measured(outcomes)
    for place, (arm, found) in enumerate(outcomes.items()):
        marks = [interval(_rights(found, cell)) for cell in cells.values()]
        means = [100 * mean for mean, _, _ in marks]
        errors: Any = [[100 * (m - low) for m, low, _ in marks], [100 * (high - m) for m, _, high in marks]]
        rows = [number + place * height for number in range(len(cells))]
        axes.barh(rows, means, height, xerr=errors, label=arm, color=["#99aabb", "#b04020", "#668855"][place % 3])
    axes.set_yticks([number + 0.4 - height / 2 for number in range(len(cells))], list(cells))
    axes.invert_yaxis()
    axes.set(xlabel="right answers, %", xlim=(0, 100))
    axes.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def as_rows(outcomes: Outcomes) -> list[dict[str, Any]]:
    """One line a case and arm, for reading what was said."""
    return [
        {
            "id": o.case.id, "arm": arm, "slice": o.case.slice, "question": o.case.question,
            "expects": o.case.expects, "role": o.result.role, "asked": o.was_asked,
            "draft": o.draft.text, "draft_right": is_right(o.case, o.draft), "cited": o.draft.cited,
            "shown": o.shown.text, "shown_right": is_right(o.case, o.shown), "wrong": is_wrong(o, o.shown),
            "true_of_cited": true_of_cited(o.shown.text, o.records),
            "verdict": o.result.verdict, "model_share": o.result.model_share, "findings": o.result.findings,
            "alone": o.alone_draft and o.alone_draft.text,
            "alone_right": o.alone_draft and is_right(o.case, o.alone_draft),
            "text": o.text_draft and o.text_draft.text,
            "text_right": o.text_draft and is_right(o.case, o.text_draft),
            "cited_right": citation_right(o.case, o.draft.cited), "fallback": o.result.fallback,
        }
        for arm, found in outcomes.items()
        for o in found
    ]  # fmt: skip


def robustness(outcomes: Outcomes) -> str:
    """Paraphrases: groups all right or all wrong; variants: each against the standard wording, paired."""
    if not any(o.case.group for found in outcomes.values() for o in found):
        return ""
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


def over_seeds(runs: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    """Figures of the tuned arm over training seeds; `runs` are the rows of `as_rows`, a list a seed."""
    rows: dict[str, Callable[[Mapping[str, Any]], float | None]] = {
        "right, with retrieval, as written": lambda r: r["draft_right"],
        "right, with retrieval, checked": lambda r: r["shown_right"],
        "facts of products right, as written": lambda r: (
            r["draft_right"] if r["slice"] in ("facts", "multi_turn") else None
        ),
        "policies right, as written": lambda r: r["draft_right"] if r["slice"] == "policy" else None,
        "right record cited": lambda r: r["cited_right"] if r["asked"] and r["slice"] in ANSWERED else None,
        "abstains where nothing can be answered": lambda r: r["draft_right"] if r["slice"] in UNANSWERED else None,
        "share of the sentences that the model wrote": lambda r: r["model_share"] if r["asked"] else None,
        "answered by the records alone": lambda r: r["fallback"] if r["asked"] else None,
    }
    lines = [f"| tuned, {len(runs)} training seeds | mean | lowest | highest |", "|---|---|---|---|"]
    for name, score in rows.items():
        values = [[v for row in run if row["arm"] == "tuned" and (v := score(row)) is not None] for run in runs]
        if not all(values):
            continue
        means = [float(np.mean(of_run)) for of_run in values]
        figures = " | ".join(f"{value:.1%}".replace("%", " %") for value in (np.mean(means), min(means), max(means)))
        lines.append(f"| {name} | {figures} |")
    return "\n".join(lines)
