"""The whole application as customers meet it: the real server in a process of its own, driven by a real Chromium."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.fakes import FakeOpenAIServer

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 150
"""Ingest of the catalog and, the very first time, the conversion of the model."""
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGS = [
    "--no-sandbox",  # Chromium refuses to run as root with it
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass
class Server:
    """A running application and the way to its API."""

    url: str

    def api(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def conversation(self, page: Page) -> list[dict[str, Any]]:
        """The exchanges of the conversation that a page shows, by the id in its address."""
        found = re.search(r"[?&]c=([\w-]+)", str(page.evaluate("location.href")))
        assert found, "the page's address names no conversation"
        exchanges: list[dict[str, Any]] = self.api(f"/conversations/{found[1]}")
        return exchanges


@dataclass
class Watched:
    """A page and what went wrong in it behind its back."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        # A page below "/" makes Streamlit ask for its own state there first.
        looks_for_itself = re.search(r"/inbox/_stcore/", message.location["url"])
        if message.type == "error" and not looks_for_itself:
            self.complaints.append(message.text)

    def _see(self, request: Request) -> None:
        if not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:", request.url):
            self.strangers.append(request.url)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(folder: Path, command: list[str], health: str, port: int, **settings: str) -> Iterator[Server]:
    """Run a server with `settings` in its environment until the end of the block; its log is in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | settings
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            _wait_until_healthy(f"http://127.0.0.1:{port}{health}", process, log)
            yield Server(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_healthy(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}:\n{log.read_text(errors='replace')}")
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                if reply.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server was not up after {START_TIMEOUT_S} s:\n{log.read_text(errors='replace')}")


@contextmanager
def shopbot(folder: Path, **settings: str) -> Iterator[Server]:
    port = free_port()
    start = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port", str(port)]
    with serving(folder, start, "/api/health", port, SHOPBOT_HOME=str(folder / "home"), **settings) as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The application as it ships, with the packaged model and the demo's accounts."""
    with shopbot(tmp_path_factory.mktemp("server"), SHOPBOT_DEMO="true") as server:
        yield server


def repeat_facts(messages: list[dict[str, Any]]) -> str:
    """What a model that does its work says: every fact of the prompt, with its source."""
    facts = str(messages[-1]["content"]).removeprefix("Facts:\n").partition("\nQuestion: ")[0]
    lines = [line.partition("] ") for line in facts.splitlines()]
    return " ".join(f"{fact.rstrip('.')} {number}]." for number, _, fact in lines)


@pytest.fixture(scope="session")
def slow_model() -> Iterator[FakeOpenAIServer]:
    """A model server that writes a few words a second, and nothing but facts."""
    with FakeOpenAIServer(repeat_facts) as model:
        model.token_delay_s = 0.08
        yield model


@pytest.fixture(scope="session")
def slow_server(
    slow_model: FakeOpenAIServer, cairn_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The application in front of the slow model: there is time to do something in the middle of an answer."""
    settings = {
        "SHOPBOT_ENGINE": "openai",
        "SHOPBOT_MODEL": "fake",
        "SHOPBOT_OPENAI_BASE_URL": slow_model.base_url,
        "SHOPBOT_MODEL_FIRST_SENTENCE_TIMEOUT_S": "20",
        "SHOPBOT_MODEL_STALL_TIMEOUT_S": "20",
    }
    folder = tmp_path_factory.mktemp("slow")
    shutil.copytree(cairn_home, folder / "home")
    with shopbot(folder, **settings) as server:
        yield server


def chromium_path() -> str:
    """Find the distribution's Chromium; a missing one fails the test, it does not skip it."""
    found = os.environ.get("SHOPBOT_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None or not Path(found).exists():
        pytest.fail(
            "no Chromium for the browser tests: run tests/components.sh, install Chromium or Chrome, "
            "or point SHOPBOT_CHROMIUM at its executable"
        )
    return found


@pytest.fixture(scope="session")
def text_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Streamlit alone, showing `hostile_page.py`."""
    port = free_port()
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    options += ["--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"]
    start = [sys.executable, "-m", "streamlit", "run", str(Path(__file__).parent / "hostile_page.py"), *options]
    with serving(tmp_path_factory.mktemp("text"), start, "/_stcore/health", port) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@contextmanager
def watched(browser: Browser, width: int, height: int, **options: Any) -> Iterator[Page]:
    """Open a page of a size; at the end, it must have had no error and have asked nobody but this machine."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    found = Watched(context.new_page())
    found.watch()
    found.page.set_default_timeout(30_000)
    yield found.page
    context.close()
    assert found.complaints == []
    assert found.strangers == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with watched(browser, 1200, 900) as page:
        yield page


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    with watched(browser, 390, 844, is_mobile=True, has_touch=True, device_scale_factor=2) as page:
        yield page
