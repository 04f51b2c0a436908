"""The same ingest and search through a real Chroma server, started from the package's own command."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ingest.publish import KEPT_VERSIONS
from shopbot.catalog import Catalog
from shopbot.errors import ConfigError, IndexMismatch
from shopbot.index import IndexLocation
from tests.fakes_data import HashEmbedder, changed_product
from tests.integration.test_ingest import Home, break_publishing, found, open_home

CHROMA = Path(sys.executable).with_name("chroma")
START_TIMEOUT_S = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    folder = tmp_path_factory.mktemp("chroma")
    command = [str(CHROMA), "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "the Chroma server ended"
        try:
            httpx.get(f"{url}/api/v2/heartbeat").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise TimeoutError(url)


@pytest.fixture
def home(tmp_path: Path, server: str) -> Iterator[Home]:
    home = open_home(tmp_path)
    home.location = IndexLocation(tmp_path / "home", server)
    yield home
    home.engine.dispose()


def collections(server: str) -> set[str]:
    path = "/api/v2/tenants/default_tenant/databases/default_database/collections"
    return {item["name"] for item in httpx.get(server + path).raise_for_status().json()}


def test_a_feed_is_published_to_and_found_on_the_server(home: Home, server: str) -> None:
    report = home.ingest()
    assert {f"{report.version_id}-products", f"{report.version_id}-policies"} <= collections(server)
    assert not (home.folder / "index").exists()
    assert found(home, "copper saucepan")[0] == "K-1"
    assert home.sections("return deadline")[0] == "returns.window"


def test_the_server_serves_two_processes_and_old_versions(home: Home) -> None:
    home.ingest()
    catalog = home.catalog()
    pinned = catalog.active()
    report = home.ingest(changed_product("K-1", title="Kettle"))
    assert (report.embedded, report.carried_over) == (1, 14)
    assert catalog.active().products["K-1"].title == "Kettle"
    vector = home.embedder.embed(["copper saucepan"])[0]
    assert pinned.index.products(vector, 1)[0][0] == "K-1"


def test_a_failure_leaves_no_collection_behind(home: Home, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home.ingest()
    before = collections(server)
    break_publishing(monkeypatch)
    with pytest.raises(RuntimeError):
        home.ingest(changed_product("K-1", title="Kettle"))
    assert before == collections(server)


def test_old_versions_leave_the_server_and_those_of_other_shops_stay(home: Home, server: str, tmp_path: Path) -> None:
    other = open_home(tmp_path / "other")
    other.location = IndexLocation(tmp_path / "other" / "home", server)
    theirs = other.ingest().version_id
    other.engine.dispose()
    reports = [home.ingest(changed_product("K-1", title=f"Pan {number}")) for number in range(5)]
    present = collections(server)
    gone, kept = reports[:-KEPT_VERSIONS], reports[-KEPT_VERSIONS:]
    assert not {f"{report.version_id}-products" for report in gone} & present
    assert {f"{version}-products" for version in [theirs, *(report.version_id for report in kept)]} <= present


def test_another_embedder_is_an_error_on_the_server_too(home: Home) -> None:
    home.ingest()
    with pytest.raises(IndexMismatch, match="made with embedder"):
        home.catalog(HashEmbedder(name="other")).active()


def test_a_collection_that_is_gone_is_named(home: Home) -> None:
    report = home.ingest()
    home.location.delete(report.version_id)
    home.location.delete(report.version_id)
    with pytest.raises(IndexMismatch, match="does not exist; ingest"):
        home.catalog().active()
    assert home.ingest().changed


@pytest.mark.parametrize("url", ["chroma:8000", "ftp://chroma", "http://"])
def test_a_wrong_url_is_a_config_error(home: Home, url: str) -> None:
    home.location = IndexLocation(home.folder, url)
    with pytest.raises(ConfigError, match="chroma_url"):
        home.ingest()


def test_a_server_that_is_not_there_is_a_config_error(home: Home) -> None:
    home.ingest()
    nowhere = IndexLocation(home.folder, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ConfigError, match="SHOPBOT_CHROMA_URL"):
        Catalog(home.engine, home.embedder, nowhere).active()


def test_a_server_that_goes_away_is_a_config_error(tmp_path: Path) -> None:
    """A query must not turn into an empty list when the server has died."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(CHROMA), "run", "--path", str(tmp_path), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(url, process)
        home = open_home(tmp_path / "shop")
        home.location = IndexLocation(tmp_path, url)
        home.ingest()
        version = home.catalog().active()
    finally:
        process.terminate()
        process.wait(10)
    with pytest.raises(ConfigError, match="does not answer"):
        found(home, "copper saucepan")
    with pytest.raises(ConfigError, match="does not answer"):
        version.index.products(home.embedder.embed(["pan"])[0], 3)
    home.engine.dispose()
