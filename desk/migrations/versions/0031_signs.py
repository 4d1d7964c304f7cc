"""The signs of narratives' centroids, by which near ones are found"""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE narratives ADD COLUMN signs bit(384)"
        " GENERATED ALWAYS AS (binary_quantize(centroid)::bit(384)) STORED NOT NULL"
    )


def downgrade() -> None:
    op.drop_column("narratives", "signs")
