"""Who is asking: accounts with hashed passwords, and sessions as signed tokens.

Identity and role come from here alone, never from a text or an argument of a model (design, decision 5).
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import bcrypt
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import Engine, Row, func, insert, select

from shopbot.database import writing
from shopbot.errors import ConfigError, InputError, SignInRefused
from shopbot.tables import accounts, customers
from shopbot.types import Audience, Frozen, Role

SESSION_HOURS = 12
SHORTEST_PASSWORD = 8
# bcrypt reads no more than this many bytes of a password; longer ones would be cut without a word.
LONGEST_PASSWORD_BYTES = 72
MOST_FAILURES = 5
FAILURES_FORGOTTEN_AFTER = timedelta(minutes=5)
# The hash of 32 random bytes that nobody kept: compared with where there is no such account, so that an answer takes
# as long as for a wrong password. Written out, because making one takes 0.2 s.
_NOBODY = b"$2b$12$ilJCy8SIUsxXOsBdzrYM4.zj9MtfgYrjLxUTAz4GI1rGuPeO66PD6"
DEMO_PASSWORD = "trail-mix-2026"
"""Of all demo accounts; everybody can read it, so it opens nothing outside a demo."""


class Session(Frozen):
    """Somebody who has signed in; staff have no `customer_id`."""

    account_id: str
    name: str
    email: str
    role: Role
    customer_id: str | None = None

    @property
    def is_staff(self) -> bool:
        return self.role != "customer"

    @property
    def audience(self) -> Audience:
        """Whom answers are for; an agent needs them as brief as a store associate does."""
        return "associate" if self.role == "agent" else self.role


class Accounts:
    """Adds accounts and signs them in; `secret` signs the tokens, `clock` returns an aware time.

    The password and the sessions of a demo are worth nothing once the same home is served as something else.
    """

    def __init__(self, engine: Engine, secret: str, clock: Callable[[], datetime], *, is_demo: bool = False) -> None:
        self._engine = engine
        self._clock = clock
        self._is_demo = is_demo
        self._signer = URLSafeTimedSerializer(secret, salt="shopbot-demo" if is_demo else "shopbot-session")
        self._failures: dict[str, list[datetime]] = {}

    def add(self, email: str, password: str, role: Role, name: str, customer_id: str | None = None) -> Session:
        """Make an account. Raises InputError naming the field that is wrong or taken."""
        email = _plain(email)
        if len(password) < SHORTEST_PASSWORD or len(password.encode()) > LONGEST_PASSWORD_BYTES:
            raise InputError("password", f"needs {SHORTEST_PASSWORD} characters or more, and at most 72 bytes")
        if not self._may_be_used(password):
            raise InputError("password", "is that of the demo, which everybody can read")
        if (role == "customer") != (customer_id is not None):
            raise InputError("customer_id", "customers have one, staff have none")
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()
        values = {"id": secrets.token_urlsafe(12), "email": email, "name": name, "role": role}
        with writing(self._engine) as connection:
            if connection.scalar(select(accounts.c.id).where(accounts.c.email == email)):
                raise InputError("email", f"{email} has an account already")
            if customer_id is not None and not connection.scalar(
                select(customers.c.id).where(customers.c.id == customer_id)
            ):
                raise InputError("customer_id", f"there is no customer {customer_id!r}")
            connection.execute(
                insert(accounts).values(
                    **values, password_hash=hashed, customer_id=customer_id, created_at=self._clock()
                )
            )
        return Session(account_id=values["id"], name=name, email=email, role=role, customer_id=customer_id)

    def count(self) -> int:
        with self._engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(accounts)) or 0

    def sign_in(self, email: str, password: str) -> str:
        """Return the token of a new session. Raises SignInRefused."""
        email = _plain(email)
        if len(self._recent_failures(email)) >= MOST_FAILURES:
            raise SignInRefused("too many tries; wait five minutes and try again")
        row = self._row(accounts.c.email == email)
        hashed = row.password_hash.encode() if row else _NOBODY
        given = password.encode()
        is_right = bcrypt.checkpw(given[:LONGEST_PASSWORD_BYTES], hashed) and len(given) <= LONGEST_PASSWORD_BYTES
        if not is_right or row is None or not self._may_be_used(password):
            self._failures.setdefault(email, []).append(self._clock())
            raise SignInRefused("e-mail or password is wrong")
        self._failures.pop(email, None)
        return self._signer.dumps([row.id, _stamp(row)])

    def session(self, token: str | None) -> Session | None:
        """Who a token belongs to; None for one that is missing, forged, too old, or from before a new password."""
        try:
            account_id, stamp = self._signer.loads(token or "", max_age=SESSION_HOURS * 3600)
        except (BadSignature, ValueError, TypeError):
            return None
        row = self._row(accounts.c.id == account_id)
        if row is None or _stamp(row) != stamp:
            return None
        return Session(account_id=row.id, name=row.name, email=row.email, role=row.role, customer_id=row.customer_id)

    def _may_be_used(self, password: str) -> bool:
        return self._is_demo or password != DEMO_PASSWORD

    def _row(self, condition: object) -> Row[tuple[object, ...]] | None:
        with self._engine.connect() as connection:
            return connection.execute(select(accounts).where(condition)).one_or_none()  # type: ignore[arg-type]

    def _recent_failures(self, email: str) -> list[datetime]:
        limit = self._clock() - FAILURES_FORGOTTEN_AFTER
        recent = [at for at in self._failures.get(email, []) if at > limit]
        self._failures[email] = recent
        return recent


def open_secret(home: Path, configured: str | None) -> str:
    """The key that signs sessions: the configured one, or one of this home's own, made once and readable by its owner.

    Raises ConfigError where it cannot be read or written, or is empty.
    """
    if configured:
        return configured
    path = home / "session.key"
    try:
        with suppress(FileExistsError):
            home.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                stream.write(secrets.token_urlsafe(48))
        key = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} can't be read or written ({error.strerror}); set SHOPBOT_SESSION_KEY") from error
    if not key.strip():  # left by a start that died, or another one is just writing it; anybody could sign with it
        raise ConfigError(f"{path} is empty; delete it and start again, or set SHOPBOT_SESSION_KEY")
    return key


def _plain(email: str) -> str:
    return email.strip().lower()


def _stamp(row: object) -> str:
    """Changes with the password, so that a new one ends all sessions."""
    return str(row.password_hash)[-8:]  # type: ignore[attr-defined]
