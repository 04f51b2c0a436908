"""The HTTP API under /api: turns with streaming events, history, feedback, search, facts, health."""

import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import chain
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from app.api_tickets import ticket_routes
from app.forgetting import Erased
from app.health import health_of
from app.pictures import picture_of
from app.signin import COOKIE
from app.wiring import Services
from shopbot.accounts import Session
from shopbot.errors import (
    CatalogEmpty,
    ConfigError,
    ConversationBusy,
    FeedError,
    InputError,
    NotAllowed,
    NotAvailable,
    RecordNotFound,
    ShopbotError,
    TicketClosed,
)
from shopbot.facts import parse_facts
from shopbot.search import search_products

_STATUS: dict[type[ShopbotError], int] = {
    InputError: 422,
    FeedError: 422,
    NotAvailable: 422,
    NotAllowed: 403,
    RecordNotFound: 404,
    TicketClosed: 409,
    ConversationBusy: 409,
    CatalogEmpty: 503,
    ConfigError: 503,
}


class TurnIn(BaseModel):
    text: str = Field(description="The customer's message.", max_length=100_000)
    conversation_id: str | None = Field(None, description="Leave out to start a new conversation.")
    arm: str | None = Field(None, description="Which model answers, base or tuned; the server's own choice by default.")


class TurnStarted(BaseModel):
    run_id: str
    conversation_id: str


class FeedbackIn(BaseModel):
    thumb: Literal["up", "down"]
    comment: str | None = Field(None, max_length=2000)


def create_api(services: Callable[[], Services]) -> FastAPI:
    """Build the API; `services` is called per request, because they exist only once the server has started."""
    api = FastAPI(title="shopbot", description="Ask the shop's assistant; everything it says is checked and cited.")
    Running = Annotated[Services, Depends(services)]

    def session_of(request: Request, running: Running) -> Session | None:
        return running.accounts.session(request.cookies.get(COOKIE))

    SignedIn = Annotated[Session | None, Depends(session_of)]

    def own_run(run_id: str, running: Running, session: SignedIn) -> str:
        running.chat.check_owner(run_id, session)
        return run_id

    OwnRun = Annotated[str, Depends(own_run)]

    @api.exception_handler(ShopbotError)
    def on_error(_: Request, error: ShopbotError) -> JSONResponse:
        body: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
        if field := getattr(error, "field", None):
            body["field"] = field
        if isinstance(error, FeedError):
            body["rows"] = [asdict(row) for row in error.rows]
        headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, ConversationBusy) else None
        return JSONResponse({"error": body}, status_code=_STATUS.get(type(error), 500), headers=headers)

    @api.exception_handler(RequestValidationError)
    def on_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        fields = [".".join(str(part) for part in item["loc"][1:]) for item in error.errors()]
        wrong = [f"{field}: {item['msg']}" for field, item in zip(fields, error.errors(), strict=True)]
        body = {"type": InputError.__name__, "message": "; ".join(wrong), "field": fields[0]}
        return JSONResponse({"error": body}, status_code=422)

    @api.post("/turns", status_code=202)
    def start_turn(
        turn: TurnIn, running: Running, session: SignedIn, idempotency_key: Annotated[str | None, Header()] = None
    ) -> TurnStarted:
        """Start answering a message; read the answer from the events of the returned run.

        Who asks is who has signed in: POST /signin sets the cookie. A message that is sent again with the same
        Idempotency-Key is answered once.
        """
        run_id, conversation_id = running.chat.start(
            turn.text, turn.conversation_id, turn.arm, session, idempotency_key
        )
        return TurnStarted(run_id=run_id, conversation_id=conversation_id)

    @api.get("/turns/{run_id}/events")
    def tail_turn(
        run_id: OwnRun, running: Running, after: int = 0, last_event_id: Annotated[int | None, Header()] = None
    ) -> StreamingResponse:
        """Stream a run's events (server-sent); `after` or Last-Event-ID goes on where a lost connection ended."""
        events = running.chat.events(run_id, last_event_id or after)
        first = next(events, None)  # an unknown run has to be an error, not an empty stream
        return StreamingResponse(_server_sent(first, events), media_type="text/event-stream")

    @api.post("/turns/{run_id}/stop")
    def stop_turn(run_id: OwnRun, running: Running) -> dict[str, bool]:
        """Stop writing; what has been shown stays."""
        running.chat.stop(run_id)
        return {"stopping": True}

    @api.post("/turns/{run_id}/feedback")
    def rate_turn(run_id: OwnRun, feedback: FeedbackIn, running: Running) -> dict[str, bool]:
        """Give an answer a thumb; a second one replaces the first."""
        running.chat.rate(run_id, feedback.thumb, feedback.comment)
        return {"kept": True}

    @api.get("/conversations/{conversation_id}")
    def read_conversation(conversation_id: str, running: Running, session: SignedIn) -> list[dict[str, Any]]:
        """Return the questions and answers of a conversation, oldest first."""
        return [
            {
                "run_id": exchange.run_id,
                "question": exchange.question,
                "state": exchange.state,
                "thumb": exchange.thumb,
                "result": exchange.result.model_dump(mode="json", exclude={"findings"}) if exchange.result else None,
            }
            for exchange in running.chat.history(conversation_id, session)
        ]

    api.include_router(ticket_routes(services, session_of))

    @api.delete("/conversations/{conversation_id}")
    def forget_conversation(conversation_id: str, running: Running, session: SignedIn) -> dict[str, int]:
        """Delete a conversation with all that belongs to it; whoever has its id may, unless it is a customer's."""
        return _counts(running.chat.forget_conversation(conversation_id, session))

    @api.delete("/me/data")
    def forget_me(running: Running, session: SignedIn) -> Any:
        """Delete all conversations of the signed-in customer; orders stay, being the shop's books."""
        if session is None or session.customer_id is None:
            return _unauthorised("sign in as a customer; a visitor deletes a conversation by its id")
        return _counts(running.chat.forget_customer(session.customer_id))

    @api.get("/search")
    def search(
        running: Running,
        q: Annotated[str, Query(max_length=2000)],
        k: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> list[dict[str, Any]]:
        """Search the catalog, best first."""
        version = running.store.catalog.active()
        hits = search_products(version, running.store.embedder, q, k, running.deps.weights)
        return [{"id": hit.id, "title": version.products[hit.id].title, "score": hit.score} for hit in hits]

    @api.get("/products/{product_id}")
    def read_product(product_id: str, running: Running) -> dict[str, Any]:
        """Return a product's record with its live facts."""
        product = running.store.catalog.active().products.get(product_id)
        if product is None:
            raise RecordNotFound(f"no product {product_id!r} in the catalog")
        facts = running.store.facts.read([product_id]).get(product_id)
        return {
            "product": product.model_dump(mode="json"),
            "facts": facts.model_dump(mode="json") if facts else None,
        }

    @api.get("/pictures/{product_id}.svg")
    def read_picture(product_id: str, running: Running) -> Response:
        """Return the drawing of a product, in its first colour."""
        product = running.store.catalog.active().products.get(product_id)
        picture = picture_of(product, running.store.shop.pictures) if product else None
        if picture is None:
            raise RecordNotFound(f"no picture of {product_id!r}")
        return Response(picture, media_type="image/svg+xml", headers={"Content-Security-Policy": "script-src 'none'"})

    @api.get("/facts")
    def read_facts(running: Running, id: Annotated[list[str], Query(max_length=100)]) -> list[dict[str, Any]]:
        """Return the live price and stock of up to 100 products."""
        return [facts.model_dump(mode="json") for facts in running.store.facts.read(id).values()]

    @api.post("/facts")
    async def set_facts(
        request: Request, running: Running, authorization: Annotated[str | None, Header()] = None
    ) -> Any:
        """Change live facts: JSON Lines as for `shopbot facts set`, with the operator's bearer token."""
        token = running.store.settings.facts_token
        if token is None or not _same(authorization or "", f"Bearer {token.get_secret_value()}"):
            return _unauthorised("send the token of SHOPBOT_FACTS_TOKEN as 'Authorization: Bearer ...'")
        body = await request.body()
        return await to_thread.run_sync(_apply_facts, body.decode("utf-8", errors="replace"), running)

    @api.get("/health")
    def read_health(running: Running) -> JSONResponse:
        """Say whether all is well, degraded (answers come from the records alone) or down, and why."""
        health = health_of(running)
        return JSONResponse(health, status_code=503 if health["status"] == "down" else 200)

    return api


def _unauthorised(message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": "Unauthorized", "message": message}}, status_code=401)


def _counts(erased: Erased) -> dict[str, int]:
    return {"conversations": len(erased.conversations), "turns": len(erased.runs)}


def _same(given: str, expected: str) -> bool:
    """Compare in constant time; as bytes, because a header may hold any character."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _apply_facts(body: str, running: Services) -> dict[str, int]:
    facts = running.store.facts
    return asdict(facts.apply(parse_facts(body.split("\n"), "request", facts.known()), "api"))


def _server_sent(first: tuple[int, Any] | None, rest: Iterator[tuple[int, Any]]) -> Iterator[str]:
    for seq, event in chain([first] if first else [], rest):
        yield f"id: {seq}\nevent: {event['kind']}\ndata: {json.dumps(public_event(event))}\n\n"


def public_event(event: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the model wrote and the check held back: it is for the log, not for anyone's screen."""
    if event["kind"] != "done":
        return event
    return {**event, "result": {key: value for key, value in event["result"].items() if key != "findings"}}
