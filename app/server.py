"""One ASGI process: the pages as Streamlit's App, the API mounted beside them, models loaded once."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.routing import Mount
from streamlit.starlette import App

from app import running
from app.api import create_api
from app.signin import sign_in_routes
from app.wiring import Progress, check_demo, open_services
from shopbot.settings import Settings

PAGES = Path(__file__).parent / "ui" / "main.py"


def create_app(settings: Settings, progress: Progress, on_ready: Callable[[], None] = lambda: None) -> App:
    """Build the application; services open when the server starts, then `on_ready` is called, and close with it.

    Raises ConfigError for a demo that others could reach, before anything is opened.
    """
    check_demo(settings)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        services = await anyio.to_thread.run_sync(open_services, settings, progress)
        services.chat.recover()
        running.put(services)
        on_ready()
        yield
        running.clear()
        await anyio.to_thread.run_sync(services.chat.close)

    return App(
        PAGES,
        routes=[*sign_in_routes(running.current), Mount("/api", app=create_api(running.current))],
        lifespan=lifespan,
    )
