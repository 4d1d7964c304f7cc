"""Deliveries that nobody loses sight of: honest states, looks, findings, limits, the kill switch"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SETTLED = "('published', 'rejected', 'missed', 'withdrawn')"
OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.add_column(
        "attempts", sa.Column("kind", sa.Text(), nullable=False, server_default=sa.text("'send'"))
    )
    op.alter_column("attempts", "kind", server_default=None)
    op.add_column("attempts", sa.Column("mark", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_attempts_kind"), "attempts", "kind IN ('send', 'look')")
    op.create_check_constraint(
        op.f("ck_attempts_outcome"),
        "attempts",
        "outcome IN ('published', 'rejected', 'not_sent', 'unknown')",
    )
    op.create_check_constraint(
        op.f("ck_attempts_ended"), "attempts", "(outcome IS NULL) = (ended_at IS NULL)"
    )
    op.create_index(
        "ix_attempts_open", "attempts", ["delivery_id"], unique=True, postgresql_where=OPEN
    )

    op.add_column(
        "deliveries",
        sa.Column("claims", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.alter_column("deliveries", "claims", server_default=None)
    op.drop_constraint(op.f("ck_deliveries_state"), "deliveries", type_="check")
    # An end that somebody saw, and a doubt that was put off: two names for what they are.
    op.execute(
        "UPDATE deliveries SET state = 'retry_later' WHERE state = 'scheduled'"
        " AND EXISTS (SELECT FROM attempts WHERE delivery_id = deliveries.id)"
    )
    op.execute(
        "UPDATE deliveries SET state = 'unconfirmed' WHERE state = 'attempting' AND NOT EXISTS"
        " (SELECT FROM attempts WHERE delivery_id = deliveries.id AND ended_at IS NULL)"
    )
    op.create_check_constraint(
        op.f("ck_deliveries_state"),
        "deliveries",
        "state IN ('scheduled', 'claimed', 'attempting', 'retry_later', 'unconfirmed', "
        "'published', 'rejected', 'missed', 'withdrawn')",
    )
    op.create_check_constraint(
        op.f("ck_deliveries_settled"),
        "deliveries",
        f"(state IN {SETTLED}) = (settled_at IS NOT NULL)",
    )
    op.create_check_constraint(
        op.f("ck_deliveries_claimed"),
        "deliveries",
        "state NOT IN ('claimed', 'attempting') OR claimed_at IS NOT NULL",
    )
    op.create_check_constraint(
        op.f("ck_deliveries_receipt"),
        "deliveries",
        "state <> 'published' OR receipt_uri IS NOT NULL",
    )
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["due_at"],
        postgresql_where=sa.text("settled_at IS NULL"),
    )

    op.create_table(
        "findings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("there", sa.Boolean(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("there = (url IS NOT NULL)", name=op.f("ck_findings_link")),
        sa.CheckConstraint("NOT (there AND again)", name=op.f("ck_findings_again")),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_findings_delivery_id_deliveries")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
    )
    op.create_index(op.f("ix_findings_delivery_id"), "findings", ["delivery_id"])

    op.create_table(
        "voice_limits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("voice_id", sa.Integer(), nullable=False),
        sa.Column("per_day", sa.Integer(), nullable=True),
        sa.Column("quiet_from", sa.Integer(), nullable=True),
        sa.Column("quiet_until", sa.Integer(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("credibility", sa.Text(), nullable=False),
        sa.Column("security_contact", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("per_day > 0", name=op.f("ck_voice_limits_per_day")),
        sa.CheckConstraint(
            "num_nonnulls(quiet_from, quiet_until) <> 1 AND quiet_from <> quiet_until "
            "AND quiet_from BETWEEN 0 AND 1439 AND quiet_until BETWEEN 0 AND 1439",
            name=op.f("ck_voice_limits_quiet"),
        ),
        sa.ForeignKeyConstraint(
            ["voice_id"], ["voices.id"], name=op.f("fk_voice_limits_voice_id_voices")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voice_limits")),
    )
    op.create_index(op.f("ix_voice_limits_voice_id"), "voice_limits", ["voice_id"])

    op.create_table(
        "stops",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("voice_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("pressed_by", sa.Integer(), nullable=False),
        sa.Column("pressed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_by", sa.Integer(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_why", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "scope IN ('organisation', 'campaign', 'voice') "
            "AND (scope = 'campaign') = (campaign_id IS NOT NULL) "
            "AND (scope = 'voice') = (voice_id IS NOT NULL)",
            name=op.f("ck_stops_scope"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(lifted_by, lifted_at, lifted_why) IN (0, 3)",
            name=op.f("ck_stops_lifted"),
        ),
        sa.CheckConstraint("lifted_by <> pressed_by", name=op.f("ck_stops_two_people")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_stops_campaign_id_campaigns")
        ),
        sa.ForeignKeyConstraint(["voice_id"], ["voices.id"], name=op.f("fk_stops_voice_id_voices")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stops")),
    )
    op.create_index(
        "ix_stops_standing",
        "stops",
        ["scope", "campaign_id", "voice_id"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "stop_deliveries",
        sa.Column("stop_id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stop_id"], ["stops.id"], name=op.f("fk_stop_deliveries_stop_id_stops")
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name=op.f("fk_stop_deliveries_delivery_id_deliveries"),
        ),
        sa.PrimaryKeyConstraint("stop_id", "delivery_id", name=op.f("pk_stop_deliveries")),
    )


def downgrade() -> None:
    for table in ("stop_deliveries", "stops", "voice_limits", "findings"):
        op.drop_table(table)
    op.drop_index("ix_deliveries_open", "deliveries")
    for name in ("receipt", "claimed", "settled", "state"):
        op.drop_constraint(op.f(f"ck_deliveries_{name}"), "deliveries", type_="check")
    op.execute(
        "UPDATE deliveries SET state = 'scheduled' WHERE state IN ('claimed', 'retry_later')"
    )
    op.execute("UPDATE deliveries SET state = 'attempting' WHERE state = 'unconfirmed'")
    op.create_check_constraint(
        op.f("ck_deliveries_state"),
        "deliveries",
        "state IN ('scheduled', 'attempting', 'published', 'rejected', 'missed', 'withdrawn')",
    )
    op.drop_column("deliveries", "claims")
    op.drop_index("ix_attempts_open", "attempts")
    for name in ("ended", "outcome", "kind"):
        op.drop_constraint(op.f(f"ck_attempts_{name}"), "attempts", type_="check")
    op.drop_column("attempts", "mark")
    op.drop_column("attempts", "kind")
