"""The shop's files, read plainly: what is true, without the code that answers from them."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from evals.metrics import plain
from shopbot.errors import ConfigError
from shopbot.shop import Shop

REFERENCE = re.compile(r"<(?P<record>[A-Za-z0-9.-]+) (?P<what>[^<>]+)>")
_MONEY = frozenset({"price", "sale_price", "pays", "total", "subtotal", "discount", "shipping", "tax", "unit_price",
                    "refund_amount", "amount_off"})  # fmt: skip


@dataclass(frozen=True)
class Records:
    """Products, orders and customers by id as their files have them, policies by section, promotions by id."""

    shop: Shop

    @cached_property
    def products(self) -> dict[str, dict[str, Any]]:
        return _by_id(self.shop.catalog_feed)

    @cached_property
    def orders(self) -> dict[str, dict[str, Any]]:
        return _by_id(self.shop.orders)

    @cached_property
    def customers(self) -> dict[str, dict[str, Any]]:
        return _by_id(self.shop.customers)

    @cached_property
    def sections(self) -> dict[str, str]:
        return {section.id: " ".join(section.text.split()) for section in self.shop.policies}

    @cached_property
    def promotions(self) -> dict[str, dict[str, Any]]:
        return {item.id: item.model_dump() for item in self.shop.promotions}

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.shop.config.timezone)

    def value(self, record: str, what: str, live: "LiveFacts") -> str:
        """What a record says, as text: a field by dotted path, or of a policy section what a pattern finds in it.

        Of a pattern with a group it is the group. `pays`, `price` and `sale_price` of a product are live. Raises
        ConfigError where there is no such record or value.
        """
        if record in self.sections:
            found = re.search(what, self.sections[record])
            if found is None:
                raise ConfigError(f"<{record} {what}>: the section says nothing like it")
            return found[1] if found.re.groups else found[0]
        known = {**self.products, **self.orders, **self.customers, **self.promotions}.get(record)
        if known is None:
            raise ConfigError(f"<{record} {what}>: there is no such record")
        if record in self.products:
            known = {**known["attributes"], **known, **live.prices(known)}
        found_value = at(known, what)
        if found_value is None:
            raise ConfigError(f"<{record} {what}>: the record has no such value")
        return self._said(what.rpartition(".")[2], found_value)

    def _said(self, name: str, value: Any) -> str:
        if name in _MONEY:
            return f"${value:.2f}"
        if name.endswith("_at"):
            value = datetime.fromisoformat(value).astimezone(self.zone).date()
        elif isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            value = date.fromisoformat(value)
        return f"{value:%B} {value.day}" if isinstance(value, date) else str(value)

    def pattern(self, text: str, live: "LiveFacts") -> re.Pattern[str]:
        """A scenario's pattern with the values of its references filled in, to be searched in `plain` text."""

        def filled(match: re.Match[str]) -> str:
            value = plain(self.value(match["record"], match["what"], live))
            before = r"(?<![\w.,])(?<!\s-)(?<!^-)" if value[0].isdigit() else r"(?<!\w)"
            after = r"(?!\w|[.,]\d)" if value[-1].isalnum() else ""
            return before + re.escape(value) + after

        return re.compile(REFERENCE.sub(filled, text), re.IGNORECASE)


@dataclass(frozen=True)
class LiveFacts:
    """Prices and stock as they have come in since the feed: (product, sku) -> field -> value."""

    changes: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def with_lines(self, lines: Iterable[Mapping[str, Any]]) -> Self:
        """The facts after lines of a facts file have come in, too."""
        changes = dict(self.changes)
        for line in lines:
            key = (str(line["id"]), line.get("sku") or "")
            said = {name: value for name, value in line.items() if name in ("price", "sale_price", "stock")}
            changes[key] = {**changes.get(key, {}), **said}
        return type(self)(changes)

    def prices(self, product: Mapping[str, Any], sku: str = "") -> dict[str, float | None]:
        """price, sale_price and what is paid, the lower of both, of a product or of a variant; None is unknown."""
        variant: Mapping[str, Any] = next((v for v in product.get("variants", ()) if v["sku"] == sku), {})
        known = {key: product.get(key) for key in ("price", "sale_price")}
        known |= {k: v for k, v in self.changes.get((product["id"], ""), {}).items() if k != "stock"}
        own = {**variant, **self.changes.get((product["id"], sku), {})} if sku else {}
        if own.get("price") is not None:
            known = {"price": own["price"], "sale_price": own.get("sale_price")}
        amounts = [amount for amount in known.values() if amount is not None]
        return {**known, "pays": min(amounts, default=None)}

    def stock(self, product: Mapping[str, Any], sku: str = "") -> int | None:
        """Pieces of a variant, or of a product without any; None is unknown."""
        whole = self.changes.get((product["id"], ""), {})
        own = self.changes.get((product["id"], sku), {})
        known: Mapping[str, Any] = next((v for v in product.get("variants", ()) if v["sku"] == sku), product)
        if sku and "stock" in whole and "stock" not in own:
            return 0 if whole["stock"] == 0 else None
        pieces: int | None = own.get("stock", known.get("stock"))
        return pieces


def at(known: Any, path: str) -> Any:
    """The value at a dotted path ("return.items.0"); None where there is none."""
    for part in path.split("."):
        if isinstance(known, list | tuple) and part.isdigit() and int(part) < len(known):
            known = known[int(part)]
        else:
            known = known.get(part) if isinstance(known, Mapping) else None
    return known


def _by_id(path: Path) -> dict[str, dict[str, Any]]:
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return {row["id"]: row for row in rows}
