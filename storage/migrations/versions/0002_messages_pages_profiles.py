"""What messages belong to queries, who looks at a page of their own, and what platforms tell of
people.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "query_messages",
        sa.Column("id", number, nullable=False),
        sa.Column("query_id", number, nullable=False),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("handle", sa.String(length=300), nullable=False),
        sa.Column("author_id", number, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_query_messages")),
        sa.ForeignKeyConstraint(
            ["query_id"], ["queries.id"], name=op.f("fk_query_messages_query_id")
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["persons.id"], name=op.f("fk_query_messages_author_id")
        ),
        sa.UniqueConstraint("platform", "handle", name=op.f("uq_query_messages_platform_handle")),
    )
    op.create_index("ix_query_messages_query_id", "query_messages", ["query_id"])
    op.create_table(
        "pages",
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.String(length=200), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shown", sa.String(length=64)),
        sa.PrimaryKeyConstraint("platform", "user_id", name=op.f("pk_pages")),
    )
    op.create_index("ix_outbox_handle", "outbox", ["handle"])
    op.add_column(
        "queries",
        sa.Column("thread", sa.String(length=300), nullable=False, server_default=""),
    )
    op.create_index(
        "ix_queries_thread",
        "queries",
        ["thread"],
        sqlite_where=sa.text("thread != ''"),
        postgresql_where=sa.text("thread != ''"),
    )
    op.add_column("identities", sa.Column("told_locale", sa.String(length=10)))
    op.add_column("identities", sa.Column("told_zone", sa.String(length=64)))


def downgrade() -> None:
    op.drop_column("identities", "told_zone")
    op.drop_column("identities", "told_locale")
    op.drop_index("ix_queries_thread", "queries")
    op.drop_column("queries", "thread")
    op.drop_index("ix_outbox_handle", "outbox")
    op.drop_table("pages")
    op.drop_table("query_messages")
