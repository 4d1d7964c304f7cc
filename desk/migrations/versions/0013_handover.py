"""Shift notes and situation reports"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "shift_notes",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("stays", sa.Text(), nullable=False),
        sa.Column("narrative_id", sa.Integer(), nullable=True),
        sa.Column("flag_id", sa.Integer(), nullable=True),
        sa.Column("alert_id", sa.Integer(), nullable=True),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("stays IN ('open', 'information')", name=op.f("ck_shift_notes_stays")),
        sa.CheckConstraint(
            "num_nonnulls(narrative_id, flag_id, alert_id) <= 1", name=op.f("ck_shift_notes_about")
        ),
        sa.ForeignKeyConstraint(
            ["narrative_id"], ["narratives.id"], name=op.f("fk_shift_notes_narrative_id_narratives")
        ),
        sa.ForeignKeyConstraint(
            ["flag_id"], ["flags.id"], name=op.f("fk_shift_notes_flag_id_flags")
        ),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_shift_notes_alert_id_alerts")
        ),
        sa.ForeignKeyConstraint(["by"], ["people.id"], name=op.f("fk_shift_notes_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift_notes")),
    )
    op.create_index(op.f("ix_shift_notes_at"), "shift_notes", ["at"])
    op.create_table(
        "shift_note_ticks",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("note_id", sa.BigInteger(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("undone_by", sa.Integer(), nullable=True),
        sa.Column("undone_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["note_id"], ["shift_notes.id"], name=op.f("fk_shift_note_ticks_note_id_shift_notes")
        ),
        sa.ForeignKeyConstraint(["by"], ["people.id"], name=op.f("fk_shift_note_ticks_by_people")),
        sa.ForeignKeyConstraint(
            ["undone_by"], ["people.id"], name=op.f("fk_shift_note_ticks_undone_by_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift_note_ticks")),
    )
    op.create_index(
        op.f("ix_shift_note_ticks_note_id"),
        "shift_note_ticks",
        ["note_id"],
        unique=True,
        postgresql_where=sa.text("undone_at IS NULL"),
    )
    op.create_table(
        "shift_note_drafts",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("words", postgresql.JSONB(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_shift_note_drafts_person_id_people")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_shift_note_drafts")),
    )
    op.create_table(
        "handover_reads",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_handover_reads_person_id_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover_reads")),
    )
    op.create_index(op.f("ix_handover_reads_person_id_id"), "handover_reads", ["person_id", "id"])
    op.create_table(
        "sitreps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["by"], ["people.id"], name=op.f("fk_sitreps_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sitreps")),
        sa.UniqueConstraint("week", "place", name=op.f("uq_sitreps_week_place")),
    )
    op.create_table(
        "sitrep_versions",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("sitrep_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sections", postgresql.JSONB(), nullable=False),
        sa.Column("kept", postgresql.JSONB(), nullable=False),
        sa.Column("kept_why", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["sitrep_id"], ["sitreps.id"], name=op.f("fk_sitrep_versions_sitrep_id_sitreps")
        ),
        sa.ForeignKeyConstraint(["by"], ["people.id"], name=op.f("fk_sitrep_versions_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sitrep_versions")),
        sa.UniqueConstraint(
            "sitrep_id", "number", name=op.f("uq_sitrep_versions_sitrep_id_number")
        ),
    )
    op.create_table(
        "sitrep_finals",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["sitrep_versions.id"],
            name=op.f("fk_sitrep_finals_version_id_sitrep_versions"),
        ),
        sa.ForeignKeyConstraint(["by"], ["people.id"], name=op.f("fk_sitrep_finals_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sitrep_finals")),
        sa.UniqueConstraint("version_id", name=op.f("uq_sitrep_finals_version_id")),
    )


def downgrade() -> None:
    op.drop_table("sitrep_finals")
    op.drop_table("sitrep_versions")
    op.drop_table("sitreps")
    op.drop_table("handover_reads")
    op.drop_table("shift_note_drafts")
    op.drop_table("shift_note_ticks")
    op.drop_table("shift_notes")
