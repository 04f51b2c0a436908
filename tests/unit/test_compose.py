"""The compose file can't be run everywhere; its rules are held here."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_healthchecked_unprivileged_and_keeps_its_state(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert int(service["user"]) > 0
    assert service["cap_drop"] == ["ALL"]
    assert [volume.split(":")[1] for volume in service["volumes"]] == ["/state"]


def test_chroma_is_reachable_from_the_application_only() -> None:
    networks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["networks"]
    assert "ports" not in SERVICES["chroma"]
    assert SERVICES["chroma"]["networks"] == ["back"]
    assert networks["back"]["internal"] is True
    assert SERVICES["app"]["depends_on"]["chroma"]["condition"] == "service_healthy"


def test_the_application_uses_the_chroma_server_of_the_file() -> None:
    assert SERVICES["app"]["environment"]["SHOPBOT_CHROMA_URL"] == "http://chroma:8000"
    assert SERVICES["chroma"]["image"] == SERVICES["app"]["image"]


def test_the_image_runs_as_the_same_user_and_owns_its_state() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "USER shopbot" in dockerfile
    assert f"--uid {SERVICES['app']['user']}" in dockerfile
    assert "chown shopbot /state" in dockerfile
