"""Codings by people, cases to learn from, readers trained here and their promotion"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "codings",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("threat_level", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed", postgresql.JSONB(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("replaces_id", sa.BigInteger(), nullable=True),
        sa.Column("undone_by", sa.Integer(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["codings.id"], name=op.f("fk_codings_replaces_id_codings")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_codings")),
    )
    op.add_column("readings", sa.Column("coding_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_readings_coding_id_codings"), "readings", "codings", ["coding_id"], ["id"]
    )
    op.create_index(op.f("ix_readings_coding_id"), "readings", ["coding_id"])
    op.create_index(op.f("ix_readings_scorer"), "readings", ["scorer"])
    op.create_index(op.f("ix_posts_md5"), "posts", [sa.text("md5(text)")])
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("held_back", sa.Boolean(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index(
        op.f("ix_cases_text"),
        "cases",
        ["text"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "trained_readers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("card", postgresql.JSONB(), nullable=False),
        sa.Column("weights", sa.LargeBinary(), nullable=False),
        sa.Column("against", sa.Text(), nullable=False),
        sa.Column("measured", postgresql.JSONB(), nullable=False),
        sa.Column("refusals", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trained_readers")),
        sa.UniqueConstraint("name", name=op.f("uq_trained_readers_name")),
    )
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reader_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["reader_id"],
            ["trained_readers.id"],
            name=op.f("fk_promotions_reader_id_trained_readers"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotions")),
    )


def downgrade() -> None:
    op.drop_table("promotions")
    op.drop_table("trained_readers")
    op.drop_table("cases")
    op.drop_index(op.f("ix_posts_md5"), "posts")
    op.drop_index(op.f("ix_readings_scorer"), "readings")
    op.drop_column("readings", "coding_id")
    op.drop_table("codings")
