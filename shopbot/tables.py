"""The tables, once, for SQLite and Postgres. `migrations/` builds them; a test holds both together."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

SCHEMA_REVISION = "0005"
"""The newest migration, so that an up-to-date database opens without alembic; a test compares the two."""

ACTIVE = "active"
"""The name of the one row of `catalog_pointer` that readers follow."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC that comes back aware on every database; SQLite itself forgets the zone.

    Raises ValueError when a naive time is written: it would be somebody's local time by accident.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value}: write an aware one")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)
Json = JSON(none_as_null=True)

catalog_versions = Table(
    "catalog_versions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("published_at", UtcDateTime),
    Column("state", String(16), nullable=False),
    Column("feed_source", Text, nullable=False),
    Column("input_hash", String(64), nullable=False),
    Column("manifest", Json),
    _one_of("state", "building", "ready", "discarded"),
)

catalog_pointer = Table(
    "catalog_pointer",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("version_id", String(64), ForeignKey("catalog_versions.id"), nullable=False),
)

# Every vector of a version has its row here; `kind` is product, policy (a section's text) or line.
# A product may have the same id as a policy section, hence `kind` in the key.
records = Table(
    "records",
    metadata,
    Column("version_id", String(64), ForeignKey("catalog_versions.id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("payload", Json, nullable=False),
    Column("embed_hash", String(64), nullable=False),
    _one_of("kind", "product", "policy", "line"),
)

# Keyed by article across versions (design, decision 2); sku is "" for the product itself. NULL means unknown.
facts = Table(
    "facts",
    metadata,
    Column("article_id", Text, primary_key=True),
    Column("sku", Text, primary_key=True, default=""),
    Column("price_minor", BigInteger),
    Column("sale_price_minor", BigInteger),
    Column("currency", String(3), nullable=False),
    Column("stock", BigInteger),
    Column("price_as_of", UtcDateTime, nullable=False),
    Column("stock_as_of", UtcDateTime, nullable=False),
    Column("source", Text, nullable=False),
)

customers = Table(
    "customers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", String(320), nullable=False, unique=True),
    Column("phone", Text),
    Column("joined", Date),
    Column("tier", Text),
    Column("address", Json),
)

orders = Table(
    "orders",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("customer_id", String(64), ForeignKey("customers.id"), nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("status", Text, nullable=False),
    Column("payload", Json, nullable=False),
    Index(None, "customer_id"),
)

# Who may sign in: customers, and staff by their role. The password is kept as its bcrypt hash.
accounts = Table(
    "accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("email", String(320), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(72), nullable=False),
    Column("customer_id", String(64), ForeignKey("customers.id")),
    Column("created_at", UtcDateTime, nullable=False),
    _one_of("role", "customer", "associate", "merchandiser", "agent"),
)

# What customers had changed, once each: the id is that of the proposal they said yes to.
order_changes = Table(
    "order_changes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("order_id", String(64), ForeignKey("orders.id"), nullable=False),
    Column("customer_id", String(64), ForeignKey("customers.id"), nullable=False),
    Column("action", String(16), nullable=False),
    Column("section", Text, nullable=False),
    Column("details", Json, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    _one_of("action", "cancel", "return", "exchange", "address"),
    Index(None, "order_id"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("customer_id", String(64), ForeignKey("customers.id")),
    Index(None, "customer_id"),
)

# Conversations that a person has taken over; whose they are stands with the conversation. One may be open at a time.
tickets = Table(
    "tickets",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("conversation_id", String(64), ForeignKey("conversations.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("summary", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("closed_by", String(64)),
    _one_of("state", "open", "closed"),
    _one_of("reason", "asked", "complaint"),
    Index(None, "conversation_id"),
    Index(
        "uq_tickets_open",
        "conversation_id",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

# What was said before a ticket, copied when it was opened, and since; `name` is that of an agent.
ticket_messages = Table(
    "ticket_messages",
    metadata,
    Column("ticket_id", String(16), ForeignKey("tickets.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("author", String(16), nullable=False),
    Column("name", Text),
    Column("account_id", String(64), ForeignKey("accounts.id")),
    Column("text", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    _one_of("author", "customer", "assistant", "agent"),
)

_RUNNING = text("state = 'running'")
# One run at a time in a conversation and each message once, whichever process is asked: the database holds both.
# `ticket_id` where a message went to a person and not to the assistant; `server` is the process that works on a run and
# `alive_at` its last sign of life.
runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("conversation_id", String(64), ForeignKey("conversations.id"), nullable=False),
    Column("question", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("result", Json),
    Column("ticket_id", String(16), ForeignKey("tickets.id")),
    Column("idempotency_key", String(200)),
    Column("server", String(200)),
    Column("alive_at", UtcDateTime),
    _one_of("state", "running", "done", "stopped", "failed", "interrupted"),
    Index(None, "conversation_id"),
    Index("uq_runs_idempotency_key", "idempotency_key", unique=True),
    Index("uq_runs_running", "conversation_id", unique=True, sqlite_where=_RUNNING, postgresql_where=_RUNNING),
)

run_events = Table(
    "run_events",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("payload", Json, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("run_id", String(64), ForeignKey("runs.id"), nullable=False),
    Column("thumb", String(8), nullable=False),
    Column("comment", Text),
    Column("at", UtcDateTime, nullable=False),
    _one_of("thumb", "up", "down"),
    Index(None, "run_id"),
)

# That somebody's conversations were deleted, when and how many; nothing of whose they were.
erasures = Table(
    "erasures",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("asked_by", String(16), nullable=False),
    Column("conversations", Integer, nullable=False),
    Column("runs", Integer, nullable=False),
    _one_of("asked_by", "customer", "visitor", "staff"),
)

# Pairs of order number and e-mail that fit no order, under each thing that the tries are counted by; all hashed.
lookup_failures = Table(
    "lookup_failures",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("pair", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "at"),
)
