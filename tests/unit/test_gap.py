"""The questions about overfitting are of the same make for both kinds of product."""

from evals.cases import held_products
from evals.gap import HELD_APART, TRAINED, gap_cases
from tests.unit.test_verify_catalog import SHOP, catalog


def test_both_kinds_are_asked_the_same_and_no_product_is_in_both() -> None:
    products, facts = catalog()
    cases = gap_cases(products, facts, held_products(), SHOP.config.locale, 10)
    asked = {kind: {case.product for case in of_kind} for kind, of_kind in cases.items()}
    assert {kind: len(of_kind) for kind, of_kind in asked.items()} == {TRAINED: 10, HELD_APART: 10}
    assert asked[HELD_APART] <= held_products()
    assert asked[TRAINED] & held_products() == set()
    for of_kind in cases.values():
        assert {"price", "stock"} <= {case.fields[0] for case in of_kind}
        assert len(of_kind) > 20
