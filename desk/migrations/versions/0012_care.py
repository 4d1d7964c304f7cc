"""What a reader chose for their own care, and how much they read"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "care_choices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("soften", sa.Boolean(), nullable=False),
        sa.Column("fold_from", sa.Integer(), nullable=True),
        sa.Column("break_minutes", sa.Integer(), nullable=True),
        sa.Column("break_posts", sa.Integer(), nullable=True),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("fold_from BETWEEN 2 AND 4", name=op.f("ck_care_choices_fold_from")),
        sa.CheckConstraint(
            "break_minutes > 0 AND break_posts > 0", name=op.f("ck_care_choices_breaks")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_care_choices_person_id_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_care_choices")),
    )
    op.create_index(
        op.f("ix_care_choices_person_id"),
        "care_choices",
        ["person_id"],
        unique=True,
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.create_table(
        "exposures",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("m2", sa.Integer(), nullable=False),
        sa.Column("m3", sa.Integer(), nullable=False),
        sa.Column("m4", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_exposures_person_id_people")
        ),
        sa.PrimaryKeyConstraint("person_id", "day", name=op.f("pk_exposures")),
    )
    op.create_table(
        "reading_spells",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("later_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_reading_spells_person_id_people")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_reading_spells")),
    )


def downgrade() -> None:
    op.drop_table("reading_spells")
    op.drop_table("exposures")
    op.drop_table("care_choices")
