"""Saved views, who looks at what, a person's time zone, and what people report"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaces_id", sa.Integer(), nullable=True),
        sa.Column("removed_by", sa.Integer(), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_saved_views_person_id_people")
        ),
        sa.ForeignKeyConstraint(
            ["removed_by"], ["people.id"], name=op.f("fk_saved_views_removed_by_people")
        ),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["saved_views.id"], name=op.f("fk_saved_views_replaces_id_saved_views")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
    )
    op.create_index(
        op.f("ix_saved_views_person_id"),
        "saved_views",
        ["person_id"],
        unique=False,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "presences",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.Column("came_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_presences_person_id_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_presences")),
    )
    op.create_index(op.f("ix_presences_page"), "presences", ["page"], unique=False)
    op.add_column("people", sa.Column("time_zone", sa.Text(), nullable=True))

    op.add_column("flags", sa.Column("raised_by", sa.Integer(), nullable=True))
    op.drop_constraint(op.f("ck_flags_subject"), "flags", type_="check")
    op.drop_constraint(op.f("ck_flags_kind"), "flags", type_="check")
    op.create_check_constraint(
        op.f("ck_flags_kind"), "flags", "kind IN ('spike', 'life_safety', 'report')"
    )
    op.create_check_constraint(
        op.f("ck_flags_raised_by"), "flags", "(kind = 'report') = (raised_by IS NOT NULL)"
    )
    op.create_check_constraint(
        op.f("ck_flags_subject"),
        "flags",
        "kind <> 'spike' OR num_nonnulls(narrative_id, watch_id, place) = 1",
    )
    op.create_index(
        op.f("ix_flags_raised_by"),
        "flags",
        ["raised_by"],
        unique=False,
        postgresql_where=sa.text("raised_by IS NOT NULL"),
    )
    op.create_index(
        "ix_readings_gravest",
        "readings",
        ["narrative_id", "level", "hour", "post_id"],
        unique=False,
        postgresql_where=sa.text("level > 0"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_readings_gravest", table_name="readings", postgresql_where=sa.text("level > 0")
    )
    # What people reported stays, as what it comes nearest to: one thing that calls a person. Of
    # what was decided about it nothing is lost.
    op.drop_index(
        op.f("ix_flags_raised_by"),
        table_name="flags",
        postgresql_where=sa.text("raised_by IS NOT NULL"),
    )
    op.drop_constraint(op.f("ck_flags_subject"), "flags", type_="check")
    op.drop_constraint(op.f("ck_flags_raised_by"), "flags", type_="check")
    op.drop_constraint(op.f("ck_flags_kind"), "flags", type_="check")
    op.execute("UPDATE flags SET kind = 'life_safety' WHERE kind = 'report'")
    op.create_check_constraint(op.f("ck_flags_kind"), "flags", "kind IN ('spike', 'life_safety')")
    op.create_check_constraint(
        op.f("ck_flags_subject"),
        "flags",
        "kind = 'life_safety' OR num_nonnulls(narrative_id, watch_id, place) = 1",
    )
    op.drop_column("flags", "raised_by")
    op.drop_column("people", "time_zone")
    op.drop_table("presences")
    op.drop_table("saved_views")
