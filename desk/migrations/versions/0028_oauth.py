"""Voices' accounts on the AT Protocol that are signed in by OAuth"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
STANDING = "given_at IS NOT NULL AND ended_at IS NULL"


def upgrade() -> None:
    op.create_table(
        "grants",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("voice_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("did", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("state_sha256", sa.Text(), nullable=False),
        sa.Column("bound_to", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("given_at", MOMENT, nullable=True),
        sa.Column("renewed_at", MOMENT, nullable=True),
        sa.Column("access_until", MOMENT, nullable=True),
        sa.Column("renew_at", MOMENT, nullable=True),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_by", sa.Integer(), nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(given_at IS NULL) = (account_id IS NULL)", name=op.f("ck_grants_given")
        ),
        sa.CheckConstraint(
            "given_at IS NULL OR answered_at IS NOT NULL", name=op.f("ck_grants_answered")
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_why IS NULL)", name=op.f("ck_grants_ended")
        ),
        sa.CheckConstraint("ended_by IS NULL OR ended_at IS NOT NULL", name=op.f("ck_grants_by")),
        sa.CheckConstraint(
            "ended_at IS NOT NULL OR sealed IS NOT NULL", name=op.f("ck_grants_sealed")
        ),
        sa.CheckConstraint(
            "renew_at IS NULL OR sealed IS NOT NULL", name=op.f("ck_grants_renewed")
        ),
        sa.ForeignKeyConstraint(
            ["voice_id"], ["voices.id"], name=op.f("fk_grants_voice_id_voices")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_grants_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sa.UniqueConstraint("state_sha256", name=op.f("uq_grants_state_sha256")),
    )
    op.create_index(op.f("ix_grants_voice_id"), "grants", ["voice_id"])
    op.create_index(
        "ix_grants_standing",
        "grants",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text(STANDING),
    )
    op.create_index("ix_grants_account_id", "grants", ["account_id", "id"])
    op.create_index(
        "ix_grants_due", "grants", ["renew_at"], postgresql_where=sa.text("renew_at IS NOT NULL")
    )


def downgrade() -> None:
    # What opens these accounts is no app password: without the table they are signed in anew.
    op.execute(
        "UPDATE accounts SET secret = NULL, secret_until = NULL WHERE id IN "
        "(SELECT account_id FROM grants WHERE given_at IS NOT NULL AND ended_at IS NULL)"
    )
    op.drop_table("grants")
