"""Accounts that sign in, and the audit of changes to orders."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.String(72), nullable=False),
        sa.Column("customer_id", sa.String(64)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("email", name="uq_accounts_email"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_accounts_customer_id_customers"),
        sa.CheckConstraint("role IN ('customer', 'associate', 'merchandiser', 'agent')", "ck_accounts_role_known"),
    )
    op.create_table(
        "order_changes",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("section", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_order_changes"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_order_changes_order_id_orders"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_order_changes_customer_id_customers"),
        sa.CheckConstraint("action IN ('cancel', 'return', 'exchange', 'address')", "ck_order_changes_action_known"),
    )
    op.create_index("ix_order_changes_order_id", "order_changes", ["order_id"])
