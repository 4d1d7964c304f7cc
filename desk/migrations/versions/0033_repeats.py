"""Of posts that say the same a few stand for all where meaning is searched"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

SIGNS = """CREATE INDEX ix_readings_signs ON readings
    USING hnsw ((binary_quantize(embedding)::bit(384)) bit_hamming_ops)
    WHERE {}vector_dims(embedding) = 384 AND vector_norm(embedding) > 0"""


def upgrade() -> None:
    op.drop_index("ix_readings_signs", "readings")
    op.add_column(
        "readings", sa.Column("repeat", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    # As copies are read from now on, but without regard to weeks. Short texts stay as they are:
    # nothing tells which of them say the same.
    op.execute(
        """
        UPDATE readings SET repeat = true
          FROM (SELECT post_id, row_number() OVER alike AS place
                  FROM readings
                 WHERE vector_norm(embedding) > 0
                WINDOW alike AS (PARTITION BY copy_of, embedder
                                 ORDER BY post_id <> copy_of, post_id)) AS copies
         WHERE copies.post_id = readings.post_id AND copies.place > 4
        """
    )
    op.execute(SIGNS.format("NOT repeat AND "))


def downgrade() -> None:
    op.drop_index("ix_readings_signs", "readings")
    op.drop_column("readings", "repeat")
    op.execute(SIGNS.format(""))
