"""The fields of each reading, and how sure the trained parts of the scorer are"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("fields", "confidence"):
        op.add_column(
            "readings",
            sa.Column(name, postgresql.JSONB(), server_default="{}", nullable=False),
        )


def downgrade() -> None:
    for name in ("confidence", "fields"):
        op.drop_column("readings", name)
