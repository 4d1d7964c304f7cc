"""Rises of narratives, watches and counties; situations, triggers, alerts and their clock"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_lists",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("exercise", sa.Boolean(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_lists")),
        sa.UniqueConstraint("id", "exercise", name=op.f("uq_alert_lists_id_exercise")),
        sa.UniqueConstraint("name", name=op.f("uq_alert_lists_name")),
    )
    op.create_table(
        "post_counties",
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("fips", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["posts.id"],
            name=op.f("fk_post_counties_post_id_posts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("post_id", "fips", name=op.f("pk_post_counties")),
    )
    op.create_index(op.f("ix_post_counties_fips_post_id"), "post_counties", ["fips", "post_id"])
    op.create_table(
        "area_counts",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authors", sa.Integer(), nullable=False),
        sa.Column("dangerous_authors", sa.Integer(), nullable=False),
        sa.Column("alarming_authors", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('watch', 'place')", name=op.f("ck_area_counts_kind")),
        sa.PrimaryKeyConstraint("kind", "key", "hour", name=op.f("pk_area_counts")),
    )
    op.create_table(
        "thresholds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thresholds")),
    )
    op.create_table(
        "trigger_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('election', 'verdict', 'anniversary', 'rally', 'other')",
            name=op.f("ck_trigger_events_kind"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trigger_events")),
    )
    op.create_index(
        op.f("ix_trigger_events_uid"),
        "trigger_events",
        ["uid"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "alert_list_members",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("added_by", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_by", sa.Integer(), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("tier BETWEEN 1 AND 5", name=op.f("ck_alert_list_members_tier")),
        sa.ForeignKeyConstraint(
            ["list_id"], ["alert_lists.id"], name=op.f("fk_alert_list_members_list_id_alert_lists")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_list_members")),
    )
    op.create_index(
        op.f("ix_alert_list_members_list_id_person_id"),
        "alert_list_members",
        ["list_id", "person_id"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "endangered",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("narrative_id", sa.Integer(), nullable=True),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["narrative_id"], ["narratives.id"], name=op.f("fk_endangered_narrative_id_narratives")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endangered")),
    )
    op.create_table(
        "situation_codings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("narrative_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("speaker", sa.Integer(), nullable=True),
        sa.Column("audience", sa.Integer(), nullable=True),
        sa.Column("context", sa.Integer(), nullable=True),
        sa.Column("reach", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("audience BETWEEN 0 AND 3", name=op.f("ck_situation_codings_audience")),
        sa.CheckConstraint("context BETWEEN 0 AND 3", name=op.f("ck_situation_codings_context")),
        sa.CheckConstraint("reach BETWEEN 0 AND 3", name=op.f("ck_situation_codings_reach")),
        sa.CheckConstraint("speaker BETWEEN 0 AND 3", name=op.f("ck_situation_codings_speaker")),
        sa.ForeignKeyConstraint(
            ["narrative_id"],
            ["narratives.id"],
            name=op.f("fk_situation_codings_narrative_id_narratives"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_situation_codings")),
    )
    op.create_index(
        op.f("ix_situation_codings_narrative_id_week"),
        "situation_codings",
        ["narrative_id", "week"],
        unique=False,
    )
    op.create_table(
        "samples",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("machine_level", sa.Integer(), nullable=False),
        sa.Column("stood_for", sa.Double(), nullable=False),
        sa.Column("twice", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["posts.id"],
            name=op.f("fk_samples_post_id_posts"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_samples")),
        sa.UniqueConstraint("day", "post_id", name=op.f("uq_samples_day_post_id")),
    )
    op.create_index(op.f("ix_samples_post_id"), "samples", ["post_id"], unique=False)
    op.create_table(
        "sample_answers",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("sample_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("fields", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("level BETWEEN 0 AND 4", name=op.f("ck_sample_answers_level")),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.id"], name=op.f("fk_sample_answers_sample_id_samples")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample_answers")),
        sa.UniqueConstraint("sample_id", "by", name=op.f("uq_sample_answers_sample_id_by")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("exercise", sa.Boolean(), nullable=False),
        sa.Column("flag_id", sa.Integer(), nullable=True),
        sa.Column("narrative_id", sa.Integer(), nullable=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("danger_level", sa.Integer(), nullable=False),
        sa.Column("danger_high", sa.Integer(), nullable=False),
        sa.Column("life_safety", sa.Boolean(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("danger_level BETWEEN 0 AND 4", name=op.f("ck_alerts_danger_level")),
        sa.ForeignKeyConstraint(["flag_id"], ["flags.id"], name=op.f("fk_alerts_flag_id_flags")),
        sa.ForeignKeyConstraint(
            ["list_id", "exercise"], ["alert_lists.id", "alert_lists.exercise"], name="side"
        ),
        sa.ForeignKeyConstraint(
            ["narrative_id"], ["narratives.id"], name=op.f("fk_alerts_narrative_id_narratives")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_flag_id"), "alerts", ["flag_id"], unique=False)
    op.create_index(op.f("ix_alerts_narrative_id"), "alerts", ["narrative_id"], unique=False)
    op.create_table(
        "alert_messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("certainty", sa.Text(), nullable=False),
        sa.Column("card", postgresql.JSONB(), nullable=False),
        sa.Column("sent_by", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('Alert', 'Update', 'Cancel')", name=op.f("ck_alert_messages_kind")
        ),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_messages_alert_id_alerts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_messages")),
        sa.UniqueConstraint("identifier", name=op.f("uq_alert_messages_identifier")),
    )
    op.create_index(
        op.f("ix_alert_messages_alert_id"), "alert_messages", ["alert_id"], unique=False
    )
    op.create_table(
        "alert_outcomes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_outcomes_alert_id_alerts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_outcomes")),
        sa.UniqueConstraint("alert_id", name=op.f("uq_alert_outcomes_alert_id")),
    )
    op.create_table(
        "alert_recipients",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_recipients_alert_id_alerts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_recipients")),
        sa.UniqueConstraint(
            "alert_id", "person_id", name=op.f("uq_alert_recipients_alert_id_person_id")
        ),
    )
    op.create_table(
        "alert_stamps",
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("stage BETWEEN 0 AND 10", name=op.f("ck_alert_stamps_stage")),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_stamps_alert_id_alerts")
        ),
        sa.PrimaryKeyConstraint("alert_id", "stage", name=op.f("pk_alert_stamps")),
    )
    op.create_table(
        "verifications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("reliability", sa.Text(), nullable=False),
        sa.Column("credibility", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "level IN ('V0', 'V1', 'V2', 'V3', 'V4', 'refuted', 'outdated', 'unverifiable')",
            name=op.f("ck_verifications_level"),
        ),
        sa.CheckConstraint(
            "reliability IN ('A', 'B', 'C', 'D', 'E', 'F')",
            name=op.f("ck_verifications_reliability"),
        ),
        sa.CheckConstraint(
            "credibility BETWEEN 1 AND 6", name=op.f("ck_verifications_credibility")
        ),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_verifications_alert_id_alerts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verifications")),
    )
    op.create_index(op.f("ix_verifications_alert_id"), "verifications", ["alert_id"], unique=False)
    op.add_column("flags", sa.Column("kind", sa.Text(), server_default="spike", nullable=False))
    op.add_column("flags", sa.Column("watch_id", sa.Integer(), nullable=True))
    op.add_column("flags", sa.Column("place", sa.Text(), nullable=True))
    op.add_column("flags", sa.Column("post_id", sa.BigInteger(), nullable=True))
    op.add_column("flags", sa.Column("copy_of", sa.BigInteger(), nullable=True))
    op.add_column("flags", sa.Column("level", sa.Integer(), server_default="2", nullable=False))
    op.add_column("flags", sa.Column("low", sa.Double(), nullable=True))
    op.add_column("flags", sa.Column("high", sa.Double(), nullable=True))
    op.add_column("flags", sa.Column("adjusted", sa.Double(), nullable=True))
    op.add_column("flags", sa.Column("test", sa.Text(), server_default="count", nullable=False))
    op.add_column("flags", sa.Column("hours", sa.Integer(), server_default="1", nullable=False))
    op.add_column(
        "flags", sa.Column("about", postgresql.JSONB(), server_default="{}", nullable=False)
    )
    op.add_column("flags", sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("flags", sa.Column("collected_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("flags", sa.Column("cleared_hour", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("flags", "narrative_id", existing_type=sa.INTEGER(), nullable=True)
    op.drop_constraint(op.f("uq_flags_narrative_id_hour"), "flags", type_="unique")
    op.create_index(op.f("ix_flags_narrative_id"), "flags", ["narrative_id"], unique=False)
    op.create_index(op.f("ix_flags_post_id"), "flags", ["post_id"], unique=False)
    op.create_index(
        "uq_flags_copy_of",
        "flags",
        ["copy_of"],
        unique=True,
        postgresql_where=sa.text("copy_of IS NOT NULL"),
    )
    op.create_index(
        "uq_flags_rise",
        "flags",
        ["narrative_id", "watch_id", "place", "level", "hour", "observed"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("kind = 'spike'"),
    )
    op.create_foreign_key(
        op.f("fk_flags_watch_id_watches"), "flags", "watches", ["watch_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_flags_post_id_posts"), "flags", "posts", ["post_id"], ["id"], ondelete="SET NULL"
    )
    op.add_column(
        "hourly_counts",
        sa.Column("alarming_authors", sa.Integer(), server_default="0", nullable=False),
    )
    # What still stands is counted once more; what was deleted before this counts as not alarming.
    op.execute(
        """
        UPDATE hourly_counts SET alarming_authors = least(counted.authors, dangerous_authors)
        FROM (
            SELECT narrative_id, hour,
                   least(count(DISTINCT author), count(DISTINCT copy_of)) AS authors
            FROM readings JOIN posts ON posts.id = readings.post_id
            WHERE level >= 3 AND narrative_id IS NOT NULL
            GROUP BY narrative_id, hour
        ) AS counted
        WHERE hourly_counts.narrative_id = counted.narrative_id
          AND hourly_counts.hour = counted.hour
        """
    )
    op.drop_constraint(op.f("ck_role_grants_role"), "role_grants", type_="check")
    op.create_check_constraint(
        op.f("ck_role_grants_role"),
        "role_grants",
        "role IN ('monitor', 'duty lead', 'responder', 'comms', 'leader', 'admin')",
    )
    op.create_check_constraint(op.f("ck_flags_kind"), "flags", "kind IN ('spike', 'life_safety')")
    op.create_check_constraint(
        op.f("ck_flags_subject"),
        "flags",
        "kind = 'life_safety' OR num_nonnulls(narrative_id, watch_id, place) = 1",
    )


def downgrade() -> None:
    op.execute("DELETE FROM role_grants WHERE role IN ('duty lead', 'responder')")
    op.drop_constraint(op.f("ck_role_grants_role"), "role_grants", type_="check")
    op.create_check_constraint(
        op.f("ck_role_grants_role"),
        "role_grants",
        "role IN ('monitor', 'comms', 'leader', 'admin')",
    )
    op.drop_constraint(op.f("ck_flags_subject"), "flags", type_="check")
    op.drop_constraint(op.f("ck_flags_kind"), "flags", type_="check")
    op.drop_column("hourly_counts", "alarming_authors")
    op.drop_constraint(op.f("fk_flags_post_id_posts"), "flags", type_="foreignkey")
    op.drop_constraint(op.f("fk_flags_watch_id_watches"), "flags", type_="foreignkey")
    op.drop_index(
        "uq_flags_rise",
        table_name="flags",
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("kind = 'spike'"),
    )
    op.drop_index(
        "uq_flags_copy_of", table_name="flags", postgresql_where=sa.text("copy_of IS NOT NULL")
    )
    op.drop_index(op.f("ix_flags_post_id"), table_name="flags")
    op.drop_index(op.f("ix_flags_narrative_id"), table_name="flags")
    op.create_unique_constraint(
        op.f("uq_flags_narrative_id_hour"),
        "flags",
        ["narrative_id", "hour"],
        postgresql_nulls_not_distinct=False,
    )
    op.alter_column("flags", "narrative_id", existing_type=sa.INTEGER(), nullable=False)
    op.drop_column("flags", "cleared_hour")
    op.drop_column("flags", "collected_at")
    op.drop_column("flags", "posted_at")
    op.drop_column("flags", "about")
    op.drop_column("flags", "hours")
    op.drop_column("flags", "test")
    op.drop_column("flags", "adjusted")
    op.drop_column("flags", "high")
    op.drop_column("flags", "low")
    op.drop_column("flags", "level")
    op.drop_column("flags", "copy_of")
    op.drop_column("flags", "post_id")
    op.drop_column("flags", "place")
    op.drop_column("flags", "watch_id")
    op.drop_column("flags", "kind")
    op.drop_index(op.f("ix_verifications_alert_id"), table_name="verifications")
    op.drop_table("verifications")
    op.drop_table("alert_stamps")
    op.drop_table("alert_recipients")
    op.drop_table("alert_outcomes")
    op.drop_index(op.f("ix_alert_messages_alert_id"), table_name="alert_messages")
    op.drop_table("alert_messages")
    op.drop_index(op.f("ix_alerts_narrative_id"), table_name="alerts")
    op.drop_index(op.f("ix_alerts_flag_id"), table_name="alerts")
    op.drop_table("alerts")
    op.drop_table("sample_answers")
    op.drop_index(op.f("ix_samples_post_id"), table_name="samples")
    op.drop_table("samples")
    op.drop_index(op.f("ix_situation_codings_narrative_id_week"), table_name="situation_codings")
    op.drop_table("situation_codings")
    op.drop_table("endangered")
    op.drop_index(
        op.f("ix_alert_list_members_list_id_person_id"),
        table_name="alert_list_members",
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.drop_table("alert_list_members")
    op.drop_index(
        op.f("ix_trigger_events_uid"),
        table_name="trigger_events",
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.drop_table("trigger_events")
    op.drop_table("thresholds")
    op.drop_table("area_counts")
    op.drop_table("post_counties")
    op.drop_table("alert_lists")
