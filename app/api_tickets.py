"""The routes of tickets: what an agent does with them, and what their customer sees of them."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app.wiring import Services
from shopbot.accounts import Session
from shopbot.tickets import LONGEST_REPLY, Ticket, TicketState

_SHOWN_TO_CUSTOMERS = {"id", "state", "opened_at", "closed_at"}


class ReplyIn(BaseModel):
    text: str = Field(description=f"What the customer reads in the chat, 1 to {LONGEST_REPLY} characters.")


def ticket_routes(services: Callable[..., Services], session_of: Callable[..., Session | None]) -> APIRouter:
    """Build them on the API's dependencies; that a session is an agent's is checked by `Tickets` itself."""
    router = APIRouter()
    Running = Annotated[Services, Depends(services)]
    SignedIn = Annotated[Session | None, Depends(session_of)]

    @router.get("/tickets")
    def read_inbox(running: Running, agent: SignedIn, state: TicketState = "open") -> list[dict[str, Any]]:
        """List tickets without their messages, oldest first. For agents."""
        found = running.deps.tickets.inbox(agent, state)
        return [ticket.model_dump(mode="json", exclude={"messages"}) for ticket in found]

    @router.get("/tickets/{ticket_id}")
    def read_ticket(ticket_id: str, running: Running, agent: SignedIn) -> Ticket:
        """Return a ticket with the whole conversation. For agents."""
        return running.deps.tickets.one(agent, ticket_id)

    @router.post("/tickets/{ticket_id}/replies", status_code=201)
    def reply(ticket_id: str, reply: ReplyIn, running: Running, agent: SignedIn) -> dict[str, bool]:
        """Answer the customer in the chat. For agents."""
        running.deps.tickets.reply(agent, ticket_id, reply.text)
        return {"sent": True}

    @router.post("/tickets/{ticket_id}/close")
    def close(ticket_id: str, running: Running, agent: SignedIn) -> dict[str, str]:
        """End a ticket: the assistant answers again. For agents."""
        running.deps.tickets.close(agent, ticket_id)
        return {"state": "closed"}

    @router.get("/conversations/{conversation_id}/tickets")
    def read_own_tickets(conversation_id: str, running: Running, session: SignedIn) -> list[dict[str, Any]]:
        """Return the tickets of a conversation, oldest first, with what agents replied in each."""
        return [_for_customer(ticket) for ticket in running.chat.tickets(conversation_id, session)]

    @router.post("/conversations/{conversation_id}/call_back")
    def call_back(conversation_id: str, running: Running, session: SignedIn) -> dict[str, bool]:
        """Close the open ticket: the assistant answers again."""
        return {"called_back": running.chat.call_back(conversation_id, session)}

    return router


def _for_customer(ticket: Ticket) -> dict[str, Any]:
    replies = [message.model_dump(mode="json", include={"name", "text", "at"}) for message in ticket.messages]
    return {**ticket.model_dump(mode="json", include=_SHOWN_TO_CUSTOMERS), "replies": replies}
