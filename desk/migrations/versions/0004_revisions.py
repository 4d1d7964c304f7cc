"""Narratives that settle, merge and are corrected by people; readings by their hour"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "turns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("stamp", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turns")),
    )
    for column in (
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("merged_into", sa.Integer(), nullable=True),
        sa.Column("named_by", sa.Integer(), nullable=True),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("narratives", column)
    op.execute("UPDATE narratives SET settled_at = created_at")  # people have seen them
    op.create_foreign_key(
        op.f("fk_narratives_merged_into_narratives"),
        "narratives",
        "narratives",
        ["merged_into"],
        ["id"],
    )
    op.create_index(op.f("ix_narratives_merged_into"), "narratives", ["merged_into"])
    op.add_column("readings", sa.Column("hour", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE readings SET hour = date_trunc('hour', posts.posted_at, 'UTC') "
        "FROM posts WHERE posts.id = readings.post_id"
    )
    op.alter_column("readings", "hour", nullable=False)
    op.create_index(op.f("ix_readings_narrative_id_hour"), "readings", ["narrative_id", "hour"])
    op.create_table(
        "revisions",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("narrative_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.Integer(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('merge', 'split', 'move', 'rename', 'dismiss')",
            name=op.f("ck_revisions_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'done', 'refused', 'undone')", name=op.f("ck_revisions_state")
        ),
        sa.ForeignKeyConstraint(
            ["narrative_id"], ["narratives.id"], name=op.f("fk_revisions_narrative_id_narratives")
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["narratives.id"], name=op.f("fk_revisions_other_id_narratives")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revisions")),
    )
    op.create_index(op.f("ix_revisions_narrative_id"), "revisions", ["narrative_id"])
    op.create_index(op.f("ix_revisions_other_id"), "revisions", ["other_id"])
    op.create_table(
        "revision_posts",
        sa.Column("revision_id", sa.BigInteger(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["posts.id"],
            name=op.f("fk_revision_posts_post_id_posts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"],
            ["revisions.id"],
            name=op.f("fk_revision_posts_revision_id_revisions"),
        ),
        sa.PrimaryKeyConstraint("revision_id", "post_id", name=op.f("pk_revision_posts")),
    )
    op.create_index(op.f("ix_revision_posts_post_id"), "revision_posts", ["post_id"])


def downgrade() -> None:
    op.drop_table("revision_posts")
    op.drop_table("revisions")
    op.drop_index(op.f("ix_readings_narrative_id_hour"), "readings")
    op.drop_column("readings", "hour")
    op.drop_index(op.f("ix_narratives_merged_into"), "narratives")
    op.drop_constraint(op.f("fk_narratives_merged_into_narratives"), "narratives")
    for column in ("dismissed_at", "named_by", "merged_into", "settled_at"):
        op.drop_column("narratives", column)
    op.drop_table("turns")
