"""One account of whether the assistant is well, for /api/health, the page's note and `shopbot doctor`."""

from dataclasses import asdict
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.wiring import Services
from shopbot.adapters import stale_sections
from shopbot.errors import ShopbotError


def health_of(services: Services) -> dict[str, Any]:
    """Return {"status": "ok" | "degraded" | "down", "reasons": [...], and the figures behind it}."""
    model = services.deps.models[services.deps.default_arm]
    reasons = [f"model: {model.health.reason}"] if model.health.is_degraded else []
    try:
        version = services.store.catalog.active()
        catalog = {
            "version": version.version_id,
            "products": len(version.products),
            "sections": len(version.policies),
        }
    except ShopbotError as error:
        return {"status": "down", "reasons": [f"catalog: {error}"]}
    except SQLAlchemyError as error:
        return {"status": "down", "reasons": [f"database: {type(error).__name__}"]}
    return {
        "status": "degraded" if reasons else "ok",
        "reasons": reasons,
        "catalog": catalog,
        "model": {
            "arm": model.arm,
            "name": model.name,
            "engine": model.engine,
            "fingerprint": model.fingerprint,
            "running": model.slots.running,
            "waiting": model.slots.waiting,
        },
        "arms": {
            arm: {
                "name": each.name,
                "fingerprint": each.fingerprint,
                "stale_policies": stale_sections(each.learnt, version.policies.values()),
                "degraded": each.health.reason,
                "circuit": asdict(each.health.circuit),
            }
            for arm, each in services.deps.models.items()
        },
    }
