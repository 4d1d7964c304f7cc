"""Calendar: rescheduling and notices of watchdogs"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

KIND = (
    "(kind = 'flag') = (flag_id IS NOT NULL) "
    "AND (kind = 'alert') = (alert_message_id IS NOT NULL) "
    "AND (kind = 'approval') = (version_id IS NOT NULL) "
)


def upgrade() -> None:
    op.add_column("accounts", sa.Column("secret_until", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "barks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=True),
        sa.Column("version_id", sa.Integer(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(delivery_id, version_id) = CASE kind WHEN 'silent' THEN 0 ELSE 1 END",
            name=op.f("ck_barks_about"),
        ),
        sa.CheckConstraint("ended_at >= found_at", name=op.f("ck_barks_ended")),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_barks_delivery_id_deliveries")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["message_versions.id"],
            name=op.f("fk_barks_version_id_message_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_barks")),
    )
    op.create_index(op.f("ix_barks_found_at"), "barks", ["found_at"])
    op.create_index(
        "ix_barks_standing",
        "barks",
        ["kind", "delivery_id", "version_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    for column, table in (("bark_id", "barks"), ("decline_id", "declines")):
        op.add_column("notices", sa.Column(column, sa.Integer(), nullable=True))
        op.create_foreign_key(
            op.f(f"fk_notices_{column}_{table}"), "notices", table, [column], ["id"]
        )
        op.create_unique_constraint(
            op.f(f"uq_notices_channel_id_{column}"), "notices", ["channel_id", column]
        )
        op.create_index(op.f(f"ix_notices_{column}"), "notices", [column])
    op.drop_constraint(op.f("ck_notices_kind"), "notices", type_="check")
    op.create_check_constraint(
        op.f("ck_notices_kind"),
        "notices",
        f"{KIND}AND (kind = 'watchdog') = (bark_id IS NOT NULL) "
        "AND (kind = 'answer') = (decline_id IS NOT NULL) "
        "AND kind IN ('flag', 'alert', 'approval', 'watchdog', 'answer', 'digest', 'try')",
    )


def downgrade() -> None:
    # What was told of watchdogs and to drafters has no place before this.
    op.execute("DELETE FROM notices WHERE kind IN ('watchdog', 'answer')")
    op.drop_constraint(op.f("ck_notices_kind"), "notices", type_="check")
    op.drop_column("notices", "decline_id")
    op.drop_column("notices", "bark_id")
    op.create_check_constraint(
        op.f("ck_notices_kind"),
        "notices",
        f"{KIND}AND kind IN ('flag', 'alert', 'approval', 'digest', 'try')",
    )
    op.drop_table("barks")
    op.drop_column("accounts", "secret_until")
