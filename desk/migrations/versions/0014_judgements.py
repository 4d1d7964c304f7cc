"""Threshold assessments and second confirmations"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

PARTS = ("context", "speaker", "intent", "content_form", "extent", "likelihood")


def upgrade() -> None:
    op.create_unique_constraint(op.f("uq_flag_decisions_id_by"), "flag_decisions", ["id", "by"])
    op.create_table(
        "second_requests",
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "because IN ('life_safety', 'danger')", name=op.f("ck_second_requests_because")
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["flag_decisions.id"],
            name=op.f("fk_second_requests_decision_id_flag_decisions"),
        ),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_second_requests")),
    )
    op.create_table(
        "second_looks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.Column("first_by", sa.Integer(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint('"by" <> first_by', name=op.f("ck_second_looks_two_people")),
        sa.CheckConstraint("says IN ('agrees', 'disagrees')", name=op.f("ck_second_looks_says")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_second_looks_reason")),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["second_requests.decision_id"],
            name=op.f("fk_second_looks_decision_id_second_requests"),
        ),
        sa.ForeignKeyConstraint(
            ["decision_id", "first_by"], ["flag_decisions.id", "flag_decisions.by"], name="first"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_looks")),
        sa.UniqueConstraint("decision_id", "by", name=op.f("uq_second_looks_decision_id_by")),
    )
    op.create_table(
        "rabat_assessments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("narrative_id", sa.Integer(), nullable=True),
        sa.Column("flag_id", sa.Integer(), nullable=True),
        *(sa.Column(part, sa.Integer(), nullable=False) for part in PARTS),
        sa.Column("reasons", postgresql.JSONB(), nullable=False),
        sa.Column("edition", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.CheckConstraint(f"{part} BETWEEN 0 AND 2", name=op.f(f"ck_rabat_assessments_{part}"))
            for part in PARTS
        ),
        *_about("rabat_assessments"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rabat_assessments")),
    )
    _index("rabat_assessments")
    op.create_table(
        "legal_notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("narrative_id", sa.Integer(), nullable=True),
        sa.Column("flag_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "note IN ('presumed_protected', 'possible_true_threat', "
            "'possible_imminent_incitement')",
            name=op.f("ck_legal_notes_note"),
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_legal_notes_reason")),
        *_about("legal_notes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_notes")),
    )
    _index("legal_notes")
    op.create_table(
        "alert_thresholds",
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=True),
        sa.Column("why_none", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(assessment_id IS NULL) = (why_none <> '')",
            name=op.f("ck_alert_thresholds_test_or_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_thresholds_alert_id_alerts")
        ),
        sa.ForeignKeyConstraint(
            ["assessment_id"],
            ["rabat_assessments.id"],
            name=op.f("fk_alert_thresholds_assessment_id_rabat_assessments"),
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alert_thresholds")),
    )
    op.alter_column("campaigns", "confirmation_id", existing_type=sa.BigInteger(), nullable=True)
    op.create_check_constraint(
        op.f("ck_campaigns_stands_on"),
        "campaigns",
        "strategy = 'hold' OR confirmation_id IS NOT NULL",
    )
    op.create_table(
        "holds",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("why <> ''", name=op.f("ck_holds_why")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_holds_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_holds")),
    )
    op.create_index(op.f("ix_holds_until"), "holds", ["until"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_holds_until"), table_name="holds")
    op.drop_table("holds")
    # What was held before anybody confirmed it has no place in the older table; nothing was sent.
    op.execute("DELETE FROM campaigns WHERE confirmation_id IS NULL")
    op.drop_constraint(op.f("ck_campaigns_stands_on"), "campaigns", type_="check")
    op.alter_column("campaigns", "confirmation_id", existing_type=sa.BigInteger(), nullable=False)
    op.drop_table("alert_thresholds")
    for table in ("legal_notes", "rabat_assessments"):
        op.drop_index(op.f(f"ix_{table}_flag_id"), table_name=table)
        op.drop_index(op.f(f"ix_{table}_narrative_id"), table_name=table)
        op.drop_table(table)
    op.drop_table("second_looks")
    op.drop_table("second_requests")
    op.drop_constraint(op.f("uq_flag_decisions_id_by"), "flag_decisions", type_="unique")


def _about(table: str) -> tuple[sa.Constraint, ...]:
    """What a judgement is about: a narrative, or a flag that stands for none."""
    return (
        sa.CheckConstraint(
            "num_nonnulls(narrative_id, flag_id) = 1", name=op.f(f"ck_{table}_subject")
        ),
        sa.ForeignKeyConstraint(
            ["narrative_id"], ["narratives.id"], name=op.f(f"fk_{table}_narrative_id_narratives")
        ),
        sa.ForeignKeyConstraint(["flag_id"], ["flags.id"], name=op.f(f"fk_{table}_flag_id_flags")),
    )


def _index(table: str) -> None:
    op.create_index(op.f(f"ix_{table}_narrative_id"), table, ["narrative_id"], unique=False)
    op.create_index(op.f(f"ix_{table}_flag_id"), table, ["flag_id"], unique=False)
