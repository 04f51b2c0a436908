"""Trials as figures: pass^k, wrong facts with their bound, who wrote what is shown; as tables and as a picture."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from math import comb
from pathlib import Path
from typing import Any

from evals.gym.scenarios import THEMES, Scenario
from evals.gym.trial import Exchange, Trial
from evals.metrics import interval, upper_bound

_OF_RECORDS = ("product", "policy")
"""Roles whose answers a model may write; the others speak from records by rule."""


def pass_hat_k(successes: int, trials: int, k: int) -> float:
    """The chance that k trials of a scenario all succeed, without bias: C(successes, k) / C(trials, k).

    pass^k of tau-bench (Yao, Shinn, Razavi and Narasimhan, 2024, arXiv:2406.12045, section 3). Raises ValueError for
    more than `trials`.
    """
    if not 1 <= k <= trials:
        raise ValueError(f"k has to be between 1 and {trials}, the number of trials")
    return comb(successes, k) / comb(trials, k)


def tables(scenarios: Sequence[Scenario], trials: Sequence[Trial]) -> str:
    """The report in Markdown."""
    parts = [_headline(trials), _by_theme(scenarios, trials), _by_scenario(scenarios, trials), _failures(trials)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _arms(trials: Iterable[Trial]) -> list[str]:
    return list(dict.fromkeys(trial.arm for trial in trials))


def _greedy(trials: Iterable[Trial], arm: str) -> dict[str, Trial]:
    return {trial.scenario: trial for trial in trials if trial.arm == arm and trial.seed is None}


def _sampled(trials: Iterable[Trial], arm: str) -> dict[str, list[Trial]]:
    found: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        if trial.arm == arm and trial.seed is not None:
            found[trial.scenario].append(trial)
    return dict(found)


def chances(trials: Iterable[Trial], arm: str, k: int) -> list[float]:
    """pass^k of every scenario of an arm over its sampling seeds; empty with fewer than k of them."""
    found = _sampled(trials, arm).values()
    return [pass_hat_k(sum(t.passed for t in tried), len(tried), k) for tried in found if len(tried) >= k]


def _figure(values: Sequence[float]) -> str:
    if not values:
        return ""
    mean, low, high = interval(values)
    return f"{mean:.3f} ({low:.2f} to {high:.2f})"


def _headline(trials: Sequence[Trial]) -> str:
    arms = _arms(trials)
    seeds = max((len(tried) for arm in arms for tried in _sampled(trials, arm).values()), default=0)
    rows: list[tuple[str, Callable[[str], str]]] = [
        ("pass^1, the product's own greedy decoding",
         lambda arm: _figure([float(t.passed) for t in _greedy(trials, arm).values()])),
    ]  # fmt: skip
    rows += [
        (f"pass^{k} over {seeds} sampling seeds", lambda arm, k=k: _figure(chances(trials, arm, k)))  # type: ignore[misc]
        for k in range(1, seeds + 1)
    ]
    rows += [(name, lambda arm, score=score: score(_exchanges(trials, arm))) for name, score in _SCORES.items()]  # type: ignore[misc]
    lines = ["## Figures", "", f"| | {' | '.join(arms)} |", f"|---|{'---|' * len(arms)}"]
    lines += [f"| {name} | {' | '.join(score(arm) for arm in arms)} |" for name, score in rows]
    return "\n".join(lines)


def _exchanges(trials: Iterable[Trial], arm: str) -> list[Exchange]:
    return [exchange for trial in trials if trial.arm == arm for exchange in trial.exchanges]


def _distinct(exchanges: Iterable[Exchange]) -> list[Exchange]:
    """Each different answer to a message once: seeds that say the same are no further evidence."""
    return list({(exchange.said, exchange.answer): exchange for exchange in exchanges}.values())


def _wrong(exchanges: Sequence[Exchange]) -> str:
    found = _distinct(exchanges)
    wrong = sum(bool(exchange.wrong) for exchange in found)
    return f"{wrong} of {len(found)}; at most {upper_bound(wrong, len(found)):.2%}".replace("%", " %")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%} of {whole}".replace("%", " %") if whole else ""


def _written_by_model(exchanges: Iterable[Exchange]) -> str:
    authors = [author for exchange in exchanges for _, author in exchange.sentences]
    return _share(authors.count("model"), len(authors))


_SCORES: dict[str, Callable[[Sequence[Exchange]], str]] = {
    "different answers with a wrong fact (95 % upper bound)": _wrong,
    "sentences shown that the model wrote": _written_by_model,
    "the same, in answers on products and policies": lambda found: _written_by_model(
        exchange for exchange in found if exchange.role in _OF_RECORDS
    ),
    "fallbacks, among answers on products and policies": lambda found: _share(
        sum(e.verdict == "fallback" for e in found if e.role in _OF_RECORDS),
        sum(e.role in _OF_RECORDS for e in found),
    ),
}  # fmt: skip


def _by_theme(scenarios: Sequence[Scenario], trials: Sequence[Trial]) -> str:
    arms = _arms(trials)
    columns = [f"{arm}, {way}" for arm in arms for way in ("greedy", "pass^1", "pass^4")]
    lines = ["## By theme", "", f"| theme | scenarios | {' | '.join(columns)} |", f"|---|---|{'---|' * len(columns)}"]
    for theme in THEMES:
        ids = {scenario.id for scenario in scenarios if scenario.theme == theme}
        own = [trial for trial in trials if trial.scenario in ids]
        if not own:
            continue
        cells = []
        for arm in arms:
            greedy = [float(trial.passed) for trial in _greedy(own, arm).values()]
            cells += [_mean(greedy), _mean(chances(own, arm, 1)), _mean(chances(own, arm, 4))]
        lines.append(f"| {theme} | {len(ids)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.2f}" if values else ""


def _by_scenario(scenarios: Sequence[Scenario], trials: Sequence[Trial]) -> str:
    """A line a scenario: greedy, and so many of its sampled trials passed."""
    arms = _arms(trials)
    columns = [f"{arm}, {way}" for arm in arms for way in ("greedy", "sampled")]
    lines = ["## By scenario", "", f"| scenario | what for | {' | '.join(columns)} |"]
    lines.append(f"|---|---|{'---|' * len(columns)}")
    greedy, sampled = {arm: _greedy(trials, arm) for arm in arms}, {arm: _sampled(trials, arm) for arm in arms}
    for scenario in scenarios:
        cells = []
        for arm in arms:
            trial, tried = greedy[arm].get(scenario.id), sampled[arm].get(scenario.id, [])
            cells.append("" if trial is None else "passed" if trial.passed else "**failed**")
            cells.append(f"{sum(t.passed for t in tried)} of {len(tried)}" if tried else "")
        if any(cells):
            lines.append(f"| {scenario.id} | {scenario.about} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _failures(trials: Sequence[Trial]) -> str:
    """Why scenarios failed, each reason once, with the arms and how often."""
    reasons: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for trial in trials:
        for reason in trial.failures:
            reasons[trial.scenario][trial.arm, reason] += 1
    if not reasons:
        return ""
    lines = ["## What went wrong", ""]
    for scenario, counted in reasons.items():
        lines.append(f"- {scenario}")
        lines += [f"  - {arm}, {count} times: {reason}" for (arm, reason), count in sorted(counted.items())]
    return "\n".join(lines)


def draw(trials: Sequence[Trial], path: Path) -> None:
    """Draw pass^k of each arm with its interval, and greedy decoding as a line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for arm, color in zip(_arms(trials), ("#99aabb", "#b04020", "#668855"), strict=False):
        marks = [(k, interval(values)) for k in range(1, 9) if (values := chances(trials, arm, k))]
        errors: Any = [[mean - low for _, (mean, low, _) in marks], [high - mean for _, (mean, _, high) in marks]]
        axes.errorbar([k for k, _ in marks], [m[0] for _, m in marks], errors, marker="o", capsize=3, color=color,
                      label=f"{arm}, sampled")  # fmt: skip
        if greedy := [float(trial.passed) for trial in _greedy(trials, arm).values()]:
            axes.axhline(sum(greedy) / len(greedy), color=color, linestyle=":", label=f"{arm}, greedy")
    axes.set(xlabel="k", ylabel="pass^k", ylim=(0, 1.02), xticks=range(1, 5))
    axes.legend(loc="lower left", fontsize="small")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
