"""Watches; posts that are hidden, let pass or copied; what a source brought by the hour"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "watches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watches")),
    )
    op.create_table(
        "departures",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("narrative_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["narrative_id"], ["narratives.id"], name=op.f("fk_departures_narrative_id_narratives")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departures")),
    )
    op.create_table(
        "hidden_posts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("watches", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(collation="C"), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("card", sa.Text(), nullable=True),
        sa.Column("lang", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("reply_to", sa.Text(), nullable=True),
        sa.Column("quote_of", sa.Text(), nullable=True),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("collected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("alarming", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_hidden_posts_source_id_sources")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hidden_posts")),
        sa.UniqueConstraint("platform", "uri", name=op.f("uq_hidden_posts_platform_uri")),
    )
    op.create_table(
        "passing_posts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(collation="C"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("card", sa.Text(), nullable=True),
        sa.Column("lang", sa.Text(), nullable=True),
        sa.Column("collected_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_passing_posts_source_id_sources")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passing_posts")),
        prefixes=["UNLOGGED"],
    )
    op.create_index(
        op.f("ix_passing_posts_platform_uri"), "passing_posts", ["platform", "uri"], unique=False
    )
    op.create_index(
        op.f("ix_passing_posts_collected_at"), "passing_posts", ["collected_at"], unique=False
    )
    op.create_table(
        "source_hours",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_source_hours_source_id_sources")
        ),
        sa.PrimaryKeyConstraint("source_id", "hour", name=op.f("pk_source_hours")),
    )
    op.create_table(
        "watch_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("watch_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rule", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["watch_id"], ["watches.id"], name=op.f("fk_watch_versions_watch_id_watches")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_versions")),
    )
    op.create_index(
        op.f("ix_watch_versions_watch_id_id"), "watch_versions", ["watch_id", "id"], unique=False
    )
    op.create_table(
        "copy_bands",
        sa.Column("band", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("post_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_copy_bands_post_id_posts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("band", "post_id", name=op.f("pk_copy_bands")),
    )
    op.create_index(op.f("ix_copy_bands_post_id"), "copy_bands", ["post_id"], unique=False)
    op.create_table(
        "post_watches",
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("watch_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["posts.id"],
            name=op.f("fk_post_watches_post_id_posts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["watch_id"], ["watches.id"], name=op.f("fk_post_watches_watch_id_watches")
        ),
        sa.PrimaryKeyConstraint("post_id", "watch_id", name=op.f("pk_post_watches")),
    )
    op.create_index(
        op.f("ix_post_watches_watch_id_post_id"),
        "post_watches",
        ["watch_id", "post_id"],
        unique=False,
    )
    op.add_column("erasures", sa.Column("by", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_erasures_uri_sha256"), "erasures", ["uri_sha256"], unique=False)
    op.add_column("posts", sa.Column("card", sa.Text(), nullable=True))
    op.add_column("posts", sa.Column("quote_of", sa.Text(), nullable=True))
    no_labels = sa.text("'[]'::jsonb")
    labels = sa.Column("labels", postgresql.JSONB(), nullable=False, server_default=no_labels)
    op.add_column("posts", labels)
    returned: sa.Column[bool] = sa.Column(
        "returned", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("posts", returned)
    alarming: sa.Column[bool] = sa.Column(
        "alarming", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("posts", alarming)
    op.add_column("posts", sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE posts SET checked_at = collected_at")
    op.alter_column("posts", "checked_at", nullable=False)
    op.alter_column("posts", "labels", server_default=None)
    op.alter_column("posts", "returned", server_default=None)
    op.alter_column("posts", "alarming", server_default=None)
    op.create_index(
        op.f("ix_posts_platform_checked_at"), "posts", ["platform", "checked_at"], unique=False
    )
    op.create_index(op.f("ix_posts_collected_at"), "posts", ["collected_at"], unique=False)
    op.add_column("readings", sa.Column("copy_of", sa.BigInteger(), nullable=True))
    op.execute("UPDATE readings SET copy_of = post_id")
    op.alter_column("readings", "copy_of", nullable=False)
    op.create_index(op.f("ix_readings_copy_of"), "readings", ["copy_of"], unique=False)
