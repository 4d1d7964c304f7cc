"""Links between posts are keyed hashes; hidden posts know if they were counted; languages"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    counted: sa.Column[bool] = sa.Column(
        "counted", sa.Boolean(), nullable=False, server_default=sa.true()
    )
    op.add_column("hidden_posts", counted)
    op.alter_column("hidden_posts", "counted", server_default=None)
    # Addresses that outlived the removal of the post they name. Nothing was built on them.
    op.execute("UPDATE posts SET reply_to = NULL, quote_of = NULL")
    op.execute("UPDATE hidden_posts SET reply_to = NULL, quote_of = NULL")
    op.add_column("readings", sa.Column("lang", sa.Text(), nullable=False, server_default="und"))
    op.alter_column("readings", "lang", server_default=None)


def downgrade() -> None:
    op.drop_column("readings", "lang")
    op.drop_column("hidden_posts", "counted")
