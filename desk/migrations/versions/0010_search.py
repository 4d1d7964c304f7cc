"""Search by words, by meaning and by address"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDICES = {
    "ix_posts_words": "posts USING gin (to_tsvector('english', text))",
    "ix_posts_url": "posts USING hash (url)",
    "ix_narratives_words": "narratives USING gin (to_tsvector('english', title))",
    # The signs of the vectors, a bit each: see monitor.search.
    "ix_readings_signs": """readings
        USING hnsw ((binary_quantize(embedding)::bit(384)) bit_hamming_ops)
        WHERE vector_dims(embedding) = 384 AND vector_norm(embedding) > 0""",
}


def upgrade() -> None:
    for name, what in INDICES.items():
        op.execute(f"CREATE INDEX {name} ON {what}")


def downgrade() -> None:
    for name in INDICES:
        op.execute(f"DROP INDEX {name}")
