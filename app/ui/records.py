"""The records behind a conversation as they are now, read once for a whole page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.chat import Exchange
from app.wiring import Services
from graph.turn import Citation
from shopbot.types import PolicySection, Product, ProductFacts


@dataclass(frozen=True)
class Records:
    """Catalog and policies of the active version, and the live facts of the products that the page shows."""

    products: Mapping[str, Product]
    policies: Mapping[str, PolicySection]
    facts: Mapping[str, ProductFacts]
    offers: Mapping[str, str] = field(default_factory=dict)
    """Titles of promotions."""

    def title(self, citation: Citation) -> str:
        """Name what a citation stands for; its id where the record has left the catalog."""
        if citation.kind == "policy" and citation.id in self.policies:
            return self.policies[citation.id].heading
        if citation.kind in ("product", "fact") and citation.id in self.products:
            title = self.products[citation.id].title
            return f"{title}, price and stock" if citation.kind == "fact" else title
        return f"Order {citation.id}" if citation.kind == "order" else self.offers.get(citation.id, citation.id)


def records_of(services: Services, exchanges: Iterable[Exchange]) -> Records:
    """Read the active version, and the facts of all products cited, in one query."""
    version = services.store.catalog.active()
    cited = [c.id for exchange in exchanges for c in citations_of(exchange) if c.kind in ("product", "fact")]
    facts = services.store.facts.read(list(dict.fromkeys(cited))) if cited else {}
    offers = {promotion.id: promotion.title for promotion in services.store.shop.promotions}
    return Records(version.products, version.policies, facts, offers)


def citations_of(exchange: Exchange) -> list[Citation]:
    """The citations shown so far, in the order of their numbers."""
    sentences = [event for event in exchange.events if event["kind"] == "sentence"]
    return [Citation.model_validate(citation) for citation in sentences[-1]["citations"]] if sentences else []
