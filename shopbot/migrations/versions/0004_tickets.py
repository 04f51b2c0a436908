"""Tickets of conversations that a person has taken over, what was said in them, and the runs that wait in one.

The column of `runs` is written out: alembic would rebuild the table, which SQLite refuses while events refer to it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
IS_OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    op.create_table(
        "tickets",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("conversation_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.Column("closed_by", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_tickets"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_tickets_conversation_id_conversations"
        ),
        sa.CheckConstraint("state IN ('open', 'closed')", "ck_tickets_state_known"),
        sa.CheckConstraint("reason IN ('asked', 'complaint')", "ck_tickets_reason_known"),
    )
    op.create_index("ix_tickets_conversation_id", "tickets", ["conversation_id"])
    op.create_index(
        "uq_tickets_open", "tickets", ["conversation_id"], unique=True, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN
    )
    op.create_table(
        "ticket_messages",
        sa.Column("ticket_id", sa.String(16), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("author", sa.String(16), nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("account_id", sa.String(64)),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "seq", name="pk_ticket_messages"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_ticket_messages_ticket_id_tickets"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_ticket_messages_account_id_accounts"),
        sa.CheckConstraint("author IN ('customer', 'assistant', 'agent')", "ck_ticket_messages_author_known"),
    )
    op.execute(
        sa.text(
            "ALTER TABLE runs ADD COLUMN ticket_id VARCHAR(16) "
            "CONSTRAINT fk_runs_ticket_id_tickets REFERENCES tickets (id)"
        )
    )
