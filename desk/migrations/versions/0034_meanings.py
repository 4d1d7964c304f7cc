"""What is found by meaning has a table: whatever moves a reading leaves its index alone"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BIT

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


# A graph that does not fit is built on disk, many times as slowly. Beside each other the builders
# would need as much shared memory, of which a container has little.
MEMORY = """SELECT set_config('maintenance_work_mem', '512MB', true),
    set_config('max_parallel_maintenance_workers', '0', true)"""


def upgrade() -> None:
    op.create_table(
        "meanings",
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("copy_of", sa.BigInteger(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("signs", BIT(384), nullable=False),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_meanings")),
    )
    op.execute(
        """
        INSERT INTO meanings (post_id, copy_of, embedder, signs)
        SELECT post_id, copy_of, embedder, binary_quantize(embedding)::bit(384)
          FROM readings JOIN posts ON posts.id = post_id
         WHERE NOT repeat AND vector_norm(embedding) > 0
           AND (posts.text ~ '\\S' OR posts.card ~ '\\S')
        """
    )
    op.create_foreign_key(
        op.f("fk_meanings_post_id_readings"),
        *("meanings", "readings", ["post_id"], ["post_id"]),
        ondelete="CASCADE",
    )
    op.execute(MEMORY)
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
    op.execute(MEMORY)
    op.execute(
        """
        CREATE INDEX ix_readings_signs ON readings
        USING hnsw ((binary_quantize(embedding)::bit(384)) bit_hamming_ops)
        WHERE NOT repeat AND vector_dims(embedding) = 384 AND vector_norm(embedding) > 0
        """
    )
    op.drop_table("meanings")
