"""What Mastodon servers take, Reddit’s sign-in and removals, and servers that lock us out"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "server_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("characters_max", sa.Integer(), nullable=True),
        sa.Column("per_link", sa.Integer(), nullable=True),
        sa.Column("pictures_max", sa.Integer(), nullable=True),
        sa.Column("picture_bytes_max", sa.Integer(), nullable=True),
        sa.Column("picture_types", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("alt_max", sa.Integer(), nullable=True),
        sa.Column("found_at", MOMENT, nullable=False),
        sa.Column("read_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "characters_max > 0 AND per_link >= 0 AND pictures_max >= 0 AND picture_bytes_max > 0 "
            "AND alt_max > 0",
            name=op.f("ck_server_rules_sane"),
        ),
        sa.CheckConstraint("read_at >= found_at", name=op.f("ck_server_rules_read")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_rules")),
    )
    op.create_index(op.f("ix_server_rules_service_id"), "server_rules", ["service", "id"])

    op.create_table(
        "server_looks",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("service", name=op.f("pk_server_looks")),
    )

    op.create_table(
        "reddit_sign_ins",
        sa.Column("state_sha256", sa.Text(), nullable=False),
        sa.Column("bound_to", sa.Text(), nullable=False),
        sa.Column("voice_id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["voice_id"], ["voices.id"], name=op.f("fk_reddit_sign_ins_voice_id_voices")
        ),
        sa.PrimaryKeyConstraint("state_sha256", name=op.f("pk_reddit_sign_ins")),
    )
    op.create_index(op.f("ix_reddit_sign_ins_expires_at"), "reddit_sign_ins", ["expires_at"])

    op.create_table(
        "lockouts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("found_at", MOMENT, nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint("ended_at >= found_at", name=op.f("ck_lockouts_ended")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_lockouts_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lockouts")),
    )
    op.create_index(
        "ix_lockouts_standing",
        "lockouts",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )

    op.add_column("read_backs", sa.Column("gone_why", sa.Text(), nullable=False, server_default=""))
    op.alter_column("read_backs", "gone_why", server_default=None)


def downgrade() -> None:
    op.drop_column("read_backs", "gone_why")
    op.drop_table("lockouts")
    op.drop_table("reddit_sign_ins")
    op.drop_table("server_looks")
    op.drop_table("server_rules")
