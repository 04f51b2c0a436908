"""Was it learnt by heart? The same plain questions about products of the training and about those kept apart."""

from collections.abc import Mapping, Sequence

from evals.cases import Case
from evals.metrics import difference_interval, interval
from evals.report import is_right
from evals.runs import Outcome
from evals.transfer import catalog_cases
from shopbot.types import Product, ProductFacts

TRAINED, HELD_APART = "of the training", "kept apart"


def gap_cases(
    products: Mapping[str, Product], facts: Mapping[str, ProductFacts], held: frozenset[str], locale: str, count: int
) -> dict[str, list[Case]]:
    """Questions about `count` products of each kind, made from their records as for catalogs of strangers."""
    kinds = {TRAINED: products.keys() - held, HELD_APART: products.keys() & held}
    return {
        kind: catalog_cases({key: products[key] for key in sorted(keys)}, facts, locale, count, seed=0)
        for kind, keys in kinds.items()
    }


def table(outcomes: Mapping[str, Mapping[str, Sequence[Outcome]]]) -> str:
    """`outcomes` by arm, then by kind of product; right answers as the model wrote them."""
    lines = [f"| right as written | {TRAINED} | {HELD_APART} | difference, points |", "|---|---|---|---|"]
    for arm, found in outcomes.items():
        rights = {kind: [float(is_right(o.case, o.draft)) for o in of_kind] for kind, of_kind in found.items()}
        shares = [f"{mean:.1%} ({low:.0%} to {high:.0%})" for mean, low, high in map(interval, rights.values())]
        mean, low, high = (100 * v for v in difference_interval(rights[TRAINED], rights[HELD_APART]))
        row = " | ".join(shares).replace("%", " %")
        lines.append(f"| {arm} | {row} | {mean:+.1f} ({low:+.1f} to {high:+.1f}) |")
    return "\n".join(lines)
