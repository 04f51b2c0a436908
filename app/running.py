"""The services of this process while its server runs; set by the server's lifespan, read by API and pages."""

from app.wiring import Services
from shopbot.errors import ConfigError

_services: list[Services] = []


def put(services: Services) -> None:
    _services[:] = [services]


def clear() -> None:
    _services.clear()


def current() -> Services:
    """Return the running services. Raises ConfigError outside a server ("start it with `shopbot serve`")."""
    if not _services:
        raise ConfigError("no server is running in this process; start it with `shopbot serve`")
    return _services[0]
