"""CSV files to be imported, as they were previewed; keys that outlive a change of the secret key"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("added", sa.Integer(), nullable=True),
        sa.Column("changed", sa.Integer(), nullable=True),
        sa.Column("refused", sa.Integer(), nullable=True),
        sa.CheckConstraint("kind IN ('contacts', 'voices')", name=op.f("ck_imports_kind")),
        sa.CheckConstraint(
            "outcome IN ('taken in', 'thrown away', 'expired')", name=op.f("ck_imports_outcome")
        ),
        sa.CheckConstraint(
            "num_nonnulls(decided_at, outcome) IN (0, 2) "
            "AND (outcome IS NULL) = (sealed IS NOT NULL)",
            name=op.f("ck_imports_decided"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(added, changed, refused) = "
            "CASE WHEN outcome = 'taken in' THEN 3 ELSE 0 END",
            name=op.f("ck_imports_counted"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index(
        "ix_imports_waiting",
        "imports",
        ["made_at"],
        postgresql_where=sa.text("sealed IS NOT NULL"),
    )
    op.create_table(
        "kept_keys",
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("purpose", name=op.f("pk_kept_keys")),
    )


def downgrade() -> None:
    op.drop_table("kept_keys")
    op.drop_index("ix_imports_waiting", table_name="imports")
    op.drop_table("imports")
