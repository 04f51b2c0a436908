"""Each message once, one turn at a time, signs of life of the servers; erasures and failed look-ups are counted."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    op.execute(sa.text("UPDATE runs SET state = 'interrupted' WHERE state = 'running'"))  # nobody shows a sign of life
    op.add_column("runs", sa.Column("idempotency_key", sa.String(200)))
    op.add_column("runs", sa.Column("server", sa.String(200)))
    op.add_column("runs", sa.Column("alive_at", MOMENT))
    op.create_index("uq_runs_idempotency_key", "runs", ["idempotency_key"], unique=True)
    op.create_index(
        "uq_runs_running", "runs", ["conversation_id"], unique=True, sqlite_where=RUNNING, postgresql_where=RUNNING
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("asked_by", sa.String(16), nullable=False),
        sa.Column("conversations", sa.Integer, nullable=False),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
        sa.CheckConstraint("asked_by IN ('customer', 'visitor', 'staff')", "ck_erasures_asked_by_known"),
    )
    op.create_table(
        "lookup_failures",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("pair", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("subject", "pair", name="pk_lookup_failures"),
    )
    op.create_index("ix_lookup_failures_at", "lookup_failures", ["at"])
