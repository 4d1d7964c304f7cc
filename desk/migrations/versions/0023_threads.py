"""Threads, link cards and translations

Posts of a thread, cards and languages stand in the content of a version, which is hashed; only who
checked a translation is a row of its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "translation_checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_translation_checks_sha256")),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["message_versions.id"],
            name=op.f("fk_translation_checks_version_id_message_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_translation_checks")),
        sa.UniqueConstraint(
            "version_id",
            "sha256",
            "by",
            name=op.f("uq_translation_checks_version_id_sha256_by"),
        ),
    )
    op.create_index(op.f("ix_translation_checks_version_id"), "translation_checks", ["version_id"])


def downgrade() -> None:
    op.drop_table("translation_checks")
