"""Live facts: price and stock, read at answer time, changed at any time, independent of catalog versions.

Per article, sku and kind (price, stock) the fact with the newer `as_of` wins, whatever order they arrive in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, Engine, Row, and_, bindparam, insert, select, update

from shopbot.database import lock_table, writing
from shopbot.errors import FeedError, InputError, RowError
from shopbot.jsonl import Line, is_unknown, parse_text, read_lines, row_errors, shown
from shopbot.money import to_minor
from shopbot.tables import ACTIVE, catalog_pointer, facts, records
from shopbot.types import Fact, ProductFacts

Clock = Callable[[], datetime]
FACT_NAMES = ("price_minor", "sale_price_minor", "stock")
CLOCKS = {"price_minor": "price_as_of", "sale_price_minor": "price_as_of", "stock": "stock_as_of"}
"""Which time of confirmation a fact has: a new price says nothing about the stock."""
MOST_AHEAD = timedelta(minutes=5)
"""Clocks differ; a fact further in the future would silence every true one until then."""
MOST_PIECES = 10**9
IDS_A_QUERY = 500


@dataclass(frozen=True)
class FactUpdate:
    """What is newly known of one article (`sku` "") or variant.

    Only the keys in `changes` (of FACT_NAMES) change, None means unknown; prices are minor units. `currency`
    is needed for an article that has no facts yet.
    """

    article_id: str
    sku: str
    changes: Mapping[str, int | None]
    as_of: datetime
    currency: str | None = None


@dataclass(frozen=True)
class FactsReport:
    applied: int
    ignored_older: int

    def summary(self) -> str:
        ignored = f", {self.ignored_older} ignored: something newer is known" if self.ignored_older else ""
        return f"{self.applied} facts applied{ignored}"


@dataclass(frozen=True)
class Known:
    """The articles that facts may be about: (id, sku) -> currency; and the time of asking, UTC."""

    currencies: Mapping[tuple[str, str], str]
    now: datetime


class Facts:
    """Reads and changes live facts; `clock` returns an aware time."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def read(self, article_ids: Iterable[str]) -> dict[str, ProductFacts]:
        """Return the facts of the articles that have any, in one consistent look."""
        found: dict[str, dict[str, Fact]] = {}
        with self._engine.connect() as connection:
            for row in _rows_of(connection, list(dict.fromkeys(article_ids))):
                found.setdefault(row.article_id, {})[row.sku] = _fact(row)
        return _by_article(found)

    def known(self) -> Known:
        """Return what the active catalog version has facts for; nothing before the first publish."""
        query = (
            select(facts.c.article_id, facts.c.sku, facts.c.currency)
            .join(records, and_(records.c.record_id == facts.c.article_id, records.c.kind == "product"))
            .join(catalog_pointer, catalog_pointer.c.version_id == records.c.version_id)
            .where(catalog_pointer.c.name == ACTIVE)
        )
        with self._engine.connect() as connection:
            currencies = {(row.article_id, row.sku): row.currency for row in connection.execute(query)}
        return Known(currencies, self._clock())

    def apply(self, updates: Sequence[FactUpdate], source: str) -> FactsReport:
        """Write all updates, or none, in one transaction.

        Raises InputError for a time more than 5 minutes ahead of the clock, or an article without a currency.
        """
        latest = self._clock() + MOST_AHEAD
        if ahead := [item for item in updates if item.as_of > latest]:
            raise InputError("as_of", f"{ahead[0].as_of.isoformat()} of {ahead[0].article_id} is in the future")
        with writing(self._engine) as connection:
            return apply_facts(connection, updates, source)


def apply_facts(connection: Connection, updates: Sequence[FactUpdate], source: str) -> FactsReport:
    """Write updates inside the caller's transaction (see `Facts.apply`); the publish of a catalog uses it."""
    lock_table(connection, facts.name)
    stored = {
        (row.article_id, row.sku): row._asdict()
        for row in _rows_of(connection, list(dict.fromkeys(item.article_id for item in updates)))
    }
    new: set[tuple[str, str]] = set()
    changed: dict[tuple[str, str], dict[str, Any]] = {}
    ignored = 0
    for item in updates:
        key = (item.article_id, item.sku)
        if key not in stored:
            stored[key] = _blank(item)
            new.add(key)
        newer = {name: value for name, value in item.changes.items() if item.as_of >= stored[key][CLOCKS[name]]}
        if not newer and item.changes:
            ignored += 1
            continue
        times = {CLOCKS[name]: item.as_of for name in newer}
        stored[key].update(**newer, **times, source=source)
        changed[key] = stored[key]
    _write(connection, [changed[key] for key in changed if key in new], insert(facts))
    _write(connection, [_as_update(changed[key]) for key in changed if key not in new], _UPDATE)
    return FactsReport(applied=len(updates) - ignored, ignored_older=ignored)


def facts_of(updates: Iterable[FactUpdate]) -> dict[str, ProductFacts]:
    """What complete updates, such as a feed's, say of each article, without a database."""
    found: dict[str, dict[str, Fact]] = {}
    for item in updates:
        values = {**_blank(item), **item.changes}
        fact = Fact(**{name: values[name] for name in Fact.model_fields})
        found.setdefault(item.article_id, {})[item.sku] = fact
    return _by_article(found)


def _by_article(found: Mapping[str, dict[str, Fact]]) -> dict[str, ProductFacts]:
    return {
        article: ProductFacts(own=by_sku.pop(""), variants=by_sku) for article, by_sku in found.items() if "" in by_sku
    }


def effective_price(found: ProductFacts, sku: str = "") -> tuple[int | None, int | None]:
    """Return (price, sale price) in minor units of a product or one of its variants.

    A variant without a price of its own costs what the product costs, sale included.
    """
    fact = found.variants.get(sku, found.own)
    if fact.price_minor is None:
        own_sale = fact.sale_price_minor is not None
        return found.own.price_minor, fact.sale_price_minor if own_sale else found.own.sale_price_minor
    return fact.price_minor, fact.sale_price_minor


def parse_facts_file(path: Path, known: Known) -> list[FactUpdate]:
    """Read a JSON Lines file of facts; see `parse_facts`. Raises ConfigError if it cannot be read."""
    return _parse(read_lines(path), str(path), known)


def parse_facts(lines: Iterable[str], source: str, known: Known) -> list[FactUpdate]:
    """Parse JSON Lines `{id, sku?, price?, sale_price?, stock?, as_of?}`, prices in major units.

    An absent key leaves what is known; null makes it unknown. `as_of` is ISO 8601, UTC where it names no
    zone, by default now. Raises FeedError with every wrong row; then none of them counts.
    """
    numbered = (parse_text(number, line) for number, line in enumerate(lines, start=1) if line.strip())
    return _parse(numbered, source, known)


def _number_not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is true or false, not a number")
    return None if is_unknown(value) else value


def _text_id(value: object) -> object:
    """Accept whole numbers as ids, many systems export them so; no sku is the product itself, ""."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _moment(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("is no ISO 8601 time such as 2026-05-01T08:00:00Z")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("is no ISO 8601 time such as 2026-05-01T08:00:00Z") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


TextId = Annotated[str, BeforeValidator(_text_id)]
Amount = Annotated[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, BeforeValidator(_number_not_bool)]
Pieces = Annotated[Annotated[int, Field(ge=0, le=MOST_PIECES)] | None, BeforeValidator(_number_not_bool)]


class FactRow(BaseModel):
    """One line of a facts file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    id: TextId
    sku: TextId = ""
    price: Amount = None
    sale_price: Amount = None
    stock: Pieces = None
    as_of: Annotated[datetime | None, BeforeValidator(_moment)] = None


class _Problem(NamedTuple):
    field: str
    value: object
    reason: str
    remedy: str


def _parse(lines: Iterable[Line], source: str, known: Known) -> list[FactUpdate]:
    updates: list[FactUpdate] = []
    errors: list[RowError] = []
    for line in lines:
        if line.error is not None:
            errors.append(line.error)
            continue
        try:
            row = FactRow.model_validate(line.row)
        except ValidationError as error:
            errors += row_errors(line.number, error)
            continue
        if problems := list(_problems(row, known)):
            errors += [
                RowError(line.number, item.field, shown(item.value), item.reason, item.remedy) for item in problems
            ]
        else:
            updates.append(_to_update(row, known))
    if errors:
        raise FeedError(source, errors)
    return updates


def _problems(row: FactRow, known: Known) -> Iterator[_Problem]:
    """Yield what only the catalog and the clock can tell."""
    if (row.id, "") not in known.currencies:
        yield _Problem("id", row.id, "is not in the active catalog", "correct the id, or ingest the article first")
        return
    if (row.id, row.sku) not in known.currencies:
        yield _Problem("sku", row.sku, f"is no variant of article {row.id}", "correct the sku")
        return
    if not row.model_fields_set & {"price", "sale_price", "stock"}:
        yield _Problem("row", row.id, "changes nothing", "give price, sale_price or stock (null for unknown)")
    if row.as_of is not None and row.as_of > known.now + MOST_AHEAD:
        yield _Problem("as_of", row.as_of.isoformat(), "is in the future", "check clock and time zone")
    yield from _price_problems(row, known.currencies[row.id, row.sku])


def _price_problems(row: FactRow, currency: str) -> Iterator[_Problem]:
    for field in ("price", "sale_price"):
        amount = getattr(row, field)
        try:
            if amount is not None:
                to_minor(amount, currency)
        except InputError as error:
            yield _Problem(field, amount, str(error), f"write an amount of {currency}")


def _to_update(row: FactRow, known: Known) -> FactUpdate:
    currency = known.currencies[row.id, row.sku]
    given: dict[str, int | None] = {
        "price_minor": None if row.price is None else to_minor(row.price, currency),
        "sale_price_minor": None if row.sale_price is None else to_minor(row.sale_price, currency),
        "stock": row.stock,
    }
    changes = {name: given[name] for name in FACT_NAMES if name.removesuffix("_minor") in row.model_fields_set}
    return FactUpdate(row.id, row.sku, changes, row.as_of or known.now, currency)


_UPDATE = update(facts).where(facts.c.article_id == bindparam("key_article"), facts.c.sku == bindparam("key_sku"))


def _as_update(values: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in values.items() if name not in ("article_id", "sku")}
    return {"key_article": values["article_id"], "key_sku": values["sku"], **rest}


def _write(connection: Connection, rows: list[dict[str, Any]], statement: Any) -> None:
    if rows:
        connection.execute(statement, rows)


def _rows_of(connection: Connection, article_ids: Sequence[str]) -> Iterator[Row[Any]]:
    for start in range(0, len(article_ids), IDS_A_QUERY):
        chosen = article_ids[start : start + IDS_A_QUERY]
        yield from connection.execute(
            select(facts).where(facts.c.article_id.in_(chosen)).order_by(facts.c.article_id, facts.c.sku)
        )


def _blank(item: FactUpdate) -> dict[str, Any]:
    if item.currency is None:
        raise InputError("currency", f"article {item.article_id} has no facts yet; name its currency")
    key = {"article_id": item.article_id, "sku": item.sku, "currency": item.currency}
    return {**key, **dict.fromkeys(FACT_NAMES), **dict.fromkeys(CLOCKS.values(), item.as_of)}


def _fact(row: Row[Any]) -> Fact:
    return Fact(**{name: row._mapping[name] for name in Fact.model_fields})
