"""A real server process to kill: API, sign-in, graph, database and checkpoints as in production, without the pages.

Vectors are hashed words, so that it starts in seconds; the model is an OpenAI-compatible server of the harness.
"""

import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, Self

import httpx

from tests.fakes_data import HashEmbedder

READY_S = 180.0


def main(home: Path, port: int, model_url: str, log: Path) -> None:
    """Serve until killed; what is printed goes to `log`."""
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from app import running
    from app.api import create_api
    from app.signin import sign_in_routes
    from app.wiring import open_store, wire
    from shopbot.chat_models import build_served_model
    from tests.conftest import settings_in

    settings = settings_in(
        home,
        engine="openai",
        model="fake",
        openai_base_url=model_url,
        model_first_sentence_timeout_s=60,
        model_stall_timeout_s=60,
    )
    services = wire(open_store(settings, HashEmbedder()), {"base": build_served_model(settings, "base", None)})

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        services.chat.recover()
        running.put(services)
        yield
        services.chat.close()

    routes = [*sign_in_routes(running.current), Mount("/api", app=create_api(running.current))]
    uvicorn.run(Starlette(routes=routes, lifespan=lifespan), port=port, log_level="warning")


# Imports are most of a start. They are made once, in a process of their own from which the servers are forked.
_PRELOADED = ["app.api", "app.signin", "app.wiring", "chromadb", "langchain_openai", "uvicorn", "tests.conftest"]


def _forks() -> ForkServerContext:
    forks = get_context("forkserver")
    forks.set_forkserver_preload(_PRELOADED)
    return forks


class Server:
    """A server process on a home; `kill` is kill -9, `start` brings it back on the same port."""

    def __init__(self, home: Path, model_url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._log = home / f"server-{self.port}.log"
        self._arguments = (home, self.port, model_url, self._log)
        self._process: ForkServerProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        self._process = _forks().Process(target=main, args=self._arguments, daemon=True)
        self._process.start()
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self._process.is_alive():
            try:
                httpx.get(f"{self.url}/api/health", timeout=30)
                return self
            except httpx.TransportError:
                time.sleep(0.05)
        raise RuntimeError(f"the server did not come up:\n{self.log}")

    def kill(self) -> None:
        """End the process as a power cut would: nothing of it runs any more."""
        assert self._process is not None
        self._process.kill()
        self._process.join()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
