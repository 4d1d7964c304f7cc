"""After publication: what the platform shows, removals, retractions"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
RETRACTION_STATES = (
    "('proposed', 'declined', 'approved', 'attempting', 'unconfirmed', 'carried_out', 'failed')"
)


def upgrade() -> None:
    op.create_table(
        "read_backs",
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=True),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("missing_since", MOMENT, nullable=True),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "removed_at IS NULL OR next_at IS NULL", name=op.f("ck_read_backs_over")
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_read_backs_delivery_id_deliveries")
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_read_backs")),
    )
    op.create_index(
        "ix_read_backs_due",
        "read_backs",
        ["next_at"],
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )

    op.create_table(
        "observations",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("likes", sa.Integer(), nullable=True),
        sa.Column("reposts", sa.Integer(), nullable=True),
        sa.Column("quotes", sa.Integer(), nullable=True),
        sa.Column("replies", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('stands', 'not_found', 'unreadable')", name=op.f("ck_observations_state")
        ),
        sa.CheckConstraint(
            "least(likes, reposts, quotes, replies) >= 0 AND (state = 'stands' OR "
            "num_nonnulls(likes, reposts, quotes, replies) = 0)",
            name=op.f("ck_observations_counts"),
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_observations_delivery_id_deliveries")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
    )
    op.create_index("ix_observations_delivery_id", "observations", ["delivery_id"])

    op.create_table(
        "acknowledgements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("replies", sa.Integer(), nullable=True),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("kind IN ('replies', 'removal')", name=op.f("ck_acknowledgements_kind")),
        sa.CheckConstraint(
            "(kind = 'replies') = (replies IS NOT NULL)", name=op.f("ck_acknowledgements_replies")
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name=op.f("fk_acknowledgements_delivery_id_deliveries"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acknowledgements")),
    )
    op.create_index(op.f("ix_acknowledgements_delivery_id"), "acknowledgements", ["delivery_id"])

    op.create_table(
        "retractions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Integer(), nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_how", sa.Text(), nullable=True),
        sa.Column("decided_why", sa.Text(), nullable=False),
        sa.Column("reviewed_by", sa.Integer(), nullable=True),
        sa.Column("reviewed_at", MOMENT, nullable=True),
        sa.Column("review", sa.Text(), nullable=True),
        sa.Column("review_note", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("claimed_at", MOMENT, nullable=True),
        sa.Column("not_before", MOMENT, nullable=True),
        sa.Column("carried_out_at", MOMENT, nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.CheckConstraint(f"state IN {RETRACTION_STATES}", name=op.f("ck_retractions_state")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_retractions_reason")),
        sa.CheckConstraint(
            "decided_how IN ('approved', 'declined', 'own wish', 'emergency')",
            name=op.f("ck_retractions_decided_how"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(decided_by, decided_at, decided_how) IN (0, 3)",
            name=op.f("ck_retractions_whole"),
        ),
        sa.CheckConstraint(
            "(state = 'proposed') = (decided_how IS NULL)", name=op.f("ck_retractions_decided")
        ),
        sa.CheckConstraint(
            "(state = 'declined') = (decided_how IS NOT DISTINCT FROM 'declined')",
            name=op.f("ck_retractions_declined"),
        ),
        sa.CheckConstraint(
            "decided_how NOT IN ('approved', 'declined') OR decided_by <> proposed_by",
            name=op.f("ck_retractions_two_people"),
        ),
        sa.CheckConstraint(
            "(state = 'carried_out') = (carried_out_at IS NOT NULL)",
            name=op.f("ck_retractions_done"),
        ),
        sa.CheckConstraint(
            "(state IN ('declined', 'carried_out', 'failed')) = (settled_at IS NOT NULL)",
            name=op.f("ck_retractions_settled"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(reviewed_by, reviewed_at, review) IN (0, 3) "
            "AND review IN ('agreed', 'objected') "
            "AND (review IS NULL OR decided_how = 'emergency')",
            name=op.f("ck_retractions_review"),
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_retractions_delivery_id_deliveries")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retractions")),
    )
    op.create_index("ix_retractions_delivery_id", "retractions", ["delivery_id"])
    op.create_index(
        "ix_retractions_one",
        "retractions",
        ["delivery_id"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('declined', 'failed')"),
    )

    op.create_table(
        "retraction_attempts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("retraction_id", sa.Integer(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('down', 'refused', 'not_sent', 'unknown')",
            name=op.f("ck_retraction_attempts_outcome"),
        ),
        sa.CheckConstraint(
            "(outcome IS NULL) = (ended_at IS NULL)", name=op.f("ck_retraction_attempts_ended")
        ),
        sa.ForeignKeyConstraint(
            ["retraction_id"],
            ["retractions.id"],
            name=op.f("fk_retraction_attempts_retraction_id_retractions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retraction_attempts")),
    )
    op.create_index(
        "ix_retraction_attempts_retraction_id", "retraction_attempts", ["retraction_id"]
    )
    op.create_index(
        "ix_retraction_attempts_open",
        "retraction_attempts",
        ["retraction_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )

    op.create_table(
        "corrections",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("corrects_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("message_id <> corrects_id", name=op.f("ck_corrections_another")),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_corrections_message_id_messages")
        ),
        sa.ForeignKeyConstraint(
            ["corrects_id"], ["messages.id"], name=op.f("fk_corrections_corrects_id_messages")
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_corrections")),
    )
    op.create_index(op.f("ix_corrections_corrects_id"), "corrections", ["corrects_id"])


def downgrade() -> None:
    op.drop_table("corrections")
    op.drop_table("retraction_attempts")
    op.drop_table("retractions")
    op.drop_table("acknowledgements")
    op.drop_table("observations")
    op.drop_table("read_backs")
