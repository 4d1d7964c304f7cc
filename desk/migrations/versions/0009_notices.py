"""Channels by which people are told, and notices: who was told what, and what came of it"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("quiet_from", sa.Integer(), nullable=True),
        sa.Column("quiet_until", sa.Integer(), nullable=True),
        sa.Column("digest", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(quiet_from, quiet_until) <> 1 AND quiet_from <> quiet_until "
            "AND quiet_from BETWEEN 0 AND 1439 AND quiet_until BETWEEN 0 AND 1439",
            name=op.f("ck_channels_quiet"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_channels_person_id_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
    )
    op.create_index(op.f("ix_channels_person_id"), "channels", ["person_id"])
    op.create_index(
        "uq_channels_sign_in",
        "channels",
        ["person_id"],
        unique=True,
        postgresql_where=sa.text("address IS NULL"),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("flag_id", sa.Integer(), nullable=True),
        sa.Column("alert_message_id", sa.Integer(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("gathered", sa.Boolean(), nullable=False),
        sa.Column("digest_id", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("doubts", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'flag') = (flag_id IS NOT NULL) "
            "AND (kind = 'alert') = (alert_message_id IS NOT NULL) "
            "AND kind IN ('flag', 'alert', 'digest', 'try')",
            name=op.f("ck_notices_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('scheduled', 'attempting', 'delivered', 'failed', 'unknown', 'withdrawn')",
            name=op.f("ck_notices_state"),
        ),
        sa.CheckConstraint("level BETWEEN 0 AND 4", name=op.f("ck_notices_level")),
        sa.ForeignKeyConstraint(
            ["alert_message_id"],
            ["alert_messages.id"],
            name=op.f("fk_notices_alert_message_id_alert_messages"),
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_notices_channel_id_channels")
        ),
        sa.ForeignKeyConstraint(
            ["digest_id"], ["notices.id"], name=op.f("fk_notices_digest_id_notices")
        ),
        sa.ForeignKeyConstraint(["flag_id"], ["flags.id"], name=op.f("fk_notices_flag_id_flags")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("channel_id", "flag_id", name=op.f("uq_notices_channel_id_flag_id")),
        sa.UniqueConstraint(
            "channel_id",
            "alert_message_id",
            name=op.f("uq_notices_channel_id_alert_message_id"),
        ),
    )
    op.create_index(op.f("ix_notices_alert_message_id"), "notices", ["alert_message_id"])
    op.create_index(op.f("ix_notices_digest_id"), "notices", ["digest_id"])
    op.create_index(op.f("ix_notices_flag_id"), "notices", ["flag_id"])
    op.create_index(
        "ix_notices_waiting", "notices", ["due_at"], postgresql_where=sa.text("settled_at IS NULL")
    )


def downgrade() -> None:
    op.drop_table("notices")
    op.drop_table("channels")
