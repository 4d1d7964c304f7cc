"""What was said on our own page, and share packs"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "share_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('opened', 'posted', 'not posted')", name=op.f("ck_share_steps_kind")
        ),
        sa.CheckConstraint("url IS NULL OR kind = 'posted'", name=op.f("ck_share_steps_link")),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempts.id"], name=op.f("fk_share_steps_attempt_id_attempts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_steps")),
        sa.UniqueConstraint("attempt_id", "kind", name=op.f("uq_share_steps_attempt_id_kind")),
    )
    op.create_table(
        "share_helpers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("voice_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("named_by", sa.Integer(), nullable=False),
        sa.Column("named_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Integer(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(ended_by, ended_at) IN (0, 2)", name=op.f("ck_share_helpers_ended")
        ),
        sa.ForeignKeyConstraint(
            ["voice_id"], ["voices.id"], name=op.f("fk_share_helpers_voice_id_voices")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_helpers")),
    )
    op.create_index(
        "ix_share_helpers_standing",
        "share_helpers",
        ["voice_id", "person_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    # A post in a group, as on WhatsApp, is there without a link of its own.
    op.drop_constraint(op.f("ck_findings_link"), "findings", type_="check")
    op.create_check_constraint(op.f("ck_findings_link"), "findings", "there OR url IS NULL")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_findings_link"), "findings", type_="check")
    # What was seen without a link is history and stays: the rule is asked of new rows only.
    op.create_check_constraint(
        op.f("ck_findings_link"),
        "findings",
        "there = (url IS NOT NULL)",
        postgresql_not_valid=True,
    )
    op.drop_table("share_helpers")
    op.drop_table("share_steps")
