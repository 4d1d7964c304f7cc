"""An index that holds all by which near narratives are found"""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_narratives_near ON narratives (embedder, id) INCLUDE (signs)"
        " WHERE settled_at IS NOT NULL AND merged_into IS NULL"
    )


def downgrade() -> None:
    op.drop_index("ix_narratives_near", "narratives")
