"""What is found by meaning has a table: whatever moves a reading leaves its index alone"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BIT

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "meanings",
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("copy_of", sa.BigInteger(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("signs", BIT(384), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["readings.post_id"],
            name=op.f("fk_meanings_post_id_readings"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_meanings")),
    )
    op.execute(
        """
        INSERT INTO meanings (post_id, copy_of, embedder, signs)
        SELECT post_id, copy_of, embedder, binary_quantize(embedding)::bit(384)
          FROM readings WHERE NOT repeat AND vector_norm(embedding) > 0
        """
    )
    op.create_index(
        "ix_meanings_signs",
        "meanings",
        ["signs"],
        postgresql_using="hnsw",
        postgresql_ops={"signs": "bit_hamming_ops"},
        postgresql_with={"m": 8, "ef_construction": 64},
    )
    op.drop_index("ix_readings_signs", "readings")
    op.drop_column("readings", "repeat")


def downgrade() -> None:
    op.add_column(
        "readings", sa.Column("repeat", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.execute(
        """
        UPDATE readings SET repeat = true
         WHERE vector_norm(embedding) > 0
           AND NOT EXISTS (SELECT FROM meanings WHERE meanings.post_id = readings.post_id)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_readings_signs ON readings
        USING hnsw ((binary_quantize(embedding)::bit(384)) bit_hamming_ops)
        WHERE NOT repeat AND vector_dims(embedding) = 384 AND vector_norm(embedding) > 0
        """
    )
    op.drop_table("meanings")
