"""Leases: who is at which flag"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("flag_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["flag_id"], ["flags.id"], name=op.f("fk_leases_flag_id_flags")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_leases_person_id_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leases")),
    )
    running = sa.text("ended_at IS NULL")
    op.create_index(
        op.f("ix_leases_flag_id"), "leases", ["flag_id"], unique=True, postgresql_where=running
    )
    op.create_index("ix_leases_running", "leases", ["until"], postgresql_where=running)


def downgrade() -> None:
    op.drop_table("leases")
