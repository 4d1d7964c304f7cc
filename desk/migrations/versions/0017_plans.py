"""What a campaign plans, and why a warning was passed"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB(astext_type=sa.Text())
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *_texts("audience", "goal", "strategy", "outcome", "exposure", "exposure_how"),
        sa.Column("consulted", JSON, nullable=False),
        sa.Column("credibility", JSON, nullable=False),
        sa.Column("claims", JSON, nullable=False),
        sa.Column("no_claims", sa.Boolean(), nullable=False),
        *_texts("alongside", "issue", "area_wide", "may_alarm", "sponsor", "ai_helped"),
        sa.Column("known", JSON, nullable=False),
        sa.Column("readers", sa.Integer(), nullable=True),
        sa.Column("targeted_readers", sa.Integer(), nullable=True),
        *_texts("backlash"),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("owner", sa.Integer(), nullable=True),
        *_texts("withdrawal", "measured"),
        sa.Column("measured_days", sa.Integer(), nullable=True),
        *_texts("control"),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("readers >= 0 AND targeted_readers >= 0", name=op.f("ck_plans_readers")),
        sa.CheckConstraint("measured_days > 0", name=op.f("ck_plans_measured_days")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_plans_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_plans_campaign_id_number")),
    )
    _said_of_a_check("check_reasons", "version_id", "message_versions")
    _said_of_a_check("check_overrides", "message_id", "messages")
    op.add_column(
        "submissions",
        sa.Column("checks", JSON, nullable=False, server_default=sa.text("'[]'")),
    )
    op.alter_column("submissions", "checks", server_default=None)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _said_of_a_check(table: str, key: str, of: str) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(key, sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f(f"ck_{table}_reason")),
        sa.ForeignKeyConstraint([key], [f"{of}.id"], name=op.f(f"fk_{table}_{key}_{of}")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_{key}"), table, [key])


def downgrade() -> None:
    op.drop_column("submissions", "checks")
    for table in ("check_overrides", "check_reasons", "plans"):
        op.drop_table(table)
