"""Create all tables.

A new migration: copy this file to 0002_<what>.py, name it in `revision`, this one in `down_revision`, and
raise `shopbot.tables.SCHEMA_REVISION`. Tests compare the result with `shopbot.tables`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_catalog()
    _create_facts()
    _create_customers()
    _create_conversations()


def _create_catalog() -> None:
    op.create_table(
        "catalog_versions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("published_at", MOMENT),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("feed_source", sa.Text, nullable=False),
        sa.Column("input_hash", sa.String(64), nullable=False),
        sa.Column("manifest", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_versions"),
        sa.CheckConstraint("state IN ('building', 'ready', 'discarded')", "ck_catalog_versions_state_known"),
    )
    op.create_table(
        "catalog_pointer",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("version_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_catalog_pointer"),
        sa.ForeignKeyConstraint(["version_id"], ["catalog_versions.id"], "fk_catalog_pointer_version_id"),
    )
    op.create_table(
        "records",
        sa.Column("version_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("embed_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "kind", "record_id", name="pk_records"),
        sa.ForeignKeyConstraint(["version_id"], ["catalog_versions.id"], "fk_records_version_id"),
        sa.CheckConstraint("kind IN ('product', 'policy', 'question')", "ck_records_kind_known"),
    )


def _create_facts() -> None:
    op.create_table(
        "facts",
        sa.Column("article_id", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("price_minor", sa.BigInteger),
        sa.Column("sale_price_minor", sa.BigInteger),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("stock", sa.BigInteger),
        sa.Column("price_as_of", MOMENT, nullable=False),
        sa.Column("stock_as_of", MOMENT, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("article_id", "sku", name="pk_facts"),
    )


def _create_customers() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("phone", sa.Text),
        sa.Column("joined", sa.Date),
        sa.Column("tier", sa.Text),
        sa.Column("address", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_customers"),
        sa.UniqueConstraint("email", name="uq_customers_email"),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.String(64), nullable=False),
        sa.Column("placed_at", MOMENT, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], "fk_orders_customer_id"),
    )
    op.create_index("ix_orders_customer_id", "orders", ["customer_id"])


def _create_conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("customer_id", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], "fk_conversations_customer_id"),
    )
    op.create_index("ix_conversations_customer_id", "conversations", ["customer_id"])
    op.create_table(
        "runs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("conversation_id", sa.String(64), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("result", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], "fk_runs_conversation_id"),
        sa.CheckConstraint("state IN ('running', 'done', 'stopped', 'failed', 'interrupted')", "ck_runs_state_known"),
    )
    op.create_index("ix_runs_conversation_id", "runs", ["conversation_id"])
    op.create_table(
        "run_events",
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "seq", name="pk_run_events"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], "fk_run_events_run_id"),
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("thumb", sa.String(8), nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], "fk_feedback_run_id"),
        sa.CheckConstraint("thumb IN ('up', 'down')", "ck_feedback_thumb_known"),
    )
    op.create_index("ix_feedback_run_id", "feedback", ["run_id"])
