"""Who does what only one process may do, the second names of people, and how often it was in doubt
whether a message was taken.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leads",
        sa.Column("what", sa.String(length=60), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("what", name=op.f("pk_leads")),
    )
    op.add_column(
        "identities",
        sa.Column("alias", sa.String(length=200), nullable=False, server_default=""),
    )
    op.add_column("outbox", sa.Column("doubts", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE outbox SET doubts = 1 WHERE uncertain")
    op.drop_column("outbox", "uncertain")


def downgrade() -> None:
    op.add_column(
        "outbox", sa.Column("uncertain", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.execute("UPDATE outbox SET uncertain = (doubts > 0)")
    op.drop_column("outbox", "doubts")
    op.drop_column("identities", "alias")
    op.drop_table("leads")
