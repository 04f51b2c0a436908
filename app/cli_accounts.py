"""`shopbot accounts`: who may sign in."""

from typing import Annotated

import typer

from shopbot.types import ROLES

commands = typer.Typer(no_args_is_help=True, help="Who may sign in: customers and staff.")


@commands.command()
def add(
    email: Annotated[str, typer.Argument(help="The address to sign in with.")],
    name: Annotated[str, typer.Option(help="How the person is called.")],
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for if left out.")
    ],
    role: Annotated[str, typer.Option(help=f"One of: {', '.join(ROLES)}.")] = "customer",
    customer: Annotated[str | None, typer.Option(help="The customer's id; for role 'customer'.")] = None,
) -> None:
    """Make an account."""
    from app.wiring import accounts_of
    from shopbot.database import open_database
    from shopbot.errors import InputError
    from shopbot.settings import load_settings

    if role not in ROLES:
        raise InputError("role", f"{role!r} is none of {', '.join(ROLES)}")
    settings = load_settings()
    account = accounts_of(settings, open_database(settings)).add(email, password, role, name, customer)
    typer.echo(f"{account.email} can sign in as {account.role}")


@commands.command()
def forget(
    email: Annotated[str, typer.Argument(help="The customer's address.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask whether that is meant.")] = False,
) -> None:
    """Delete all conversations of a customer, also in a running server; orders and the account stay."""
    from app.checkpoints import open_checkpointer
    from app.forgetting import customer_of
    from app.forgetting import forget as forget_conversations
    from shopbot.database import open_database, utc_now
    from shopbot.settings import load_settings
    from shopbot.tables import conversations

    settings = load_settings()
    database = open_database(settings)
    is_theirs = conversations.c.customer_id == customer_of(database, email)
    if not yes:
        typer.confirm(f"Delete all conversations of {email}?", abort=True)
    erased = forget_conversations(database, open_checkpointer(settings), is_theirs, "staff", utc_now())
    typer.echo(f"deleted: {len(erased.conversations)} conversations with {len(erased.runs)} turns")
