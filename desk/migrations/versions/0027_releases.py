"""Emergency releases, and passkeys"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
KIND = (
    "(kind = 'flag') = (flag_id IS NOT NULL) "
    "AND (kind = 'alert') = (alert_message_id IS NOT NULL) "
    "AND (kind = 'approval') = (version_id IS NOT NULL) "
    "AND (kind = 'watchdog') = (bark_id IS NOT NULL) "
    "AND (kind = 'answer') = (decline_id IS NOT NULL) "
)


def upgrade() -> None:
    op.create_table(
        "release_permissions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("consent_id", sa.Integer(), nullable=False),
        sa.Column("covers", sa.Text(), nullable=False),
        sa.Column("valid_until", MOMENT, nullable=False),
        sa.Column("recorded_by", sa.Integer(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("withdrawn_by", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.Column("withdrawn_why", sa.Text(), nullable=True),
        sa.CheckConstraint("covers <> ''", name=op.f("ck_release_permissions_covers")),
        sa.CheckConstraint(
            "num_nonnulls(withdrawn_by, withdrawn_at, withdrawn_why) IN (0, 3)",
            name=op.f("ck_release_permissions_withdrawn"),
        ),
        sa.ForeignKeyConstraint(
            ["consent_id"],
            ["consents.id"],
            name=op.f("fk_release_permissions_consent_id_consents"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_permissions")),
        sa.UniqueConstraint("consent_id", name=op.f("uq_release_permissions_consent_id")),
    )

    op.create_table(
        "releases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("drafted_by", sa.Integer(), nullable=False),
        sa.Column("permission_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("released_by", sa.Integer(), nullable=True),
        sa.Column("released_at", MOMENT, nullable=True),
        sa.Column("refused_by", sa.Integer(), nullable=True),
        sa.Column("refused_at", MOMENT, nullable=True),
        sa.Column("refused_why", sa.Text(), nullable=True),
        sa.Column("reviewed_by", sa.Integer(), nullable=True),
        sa.Column("reviewed_at", MOMENT, nullable=True),
        sa.Column("review", sa.Text(), nullable=True),
        sa.Column("review_note", sa.Text(), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_releases_reason")),
        sa.CheckConstraint(
            "asked_by <> drafted_by AND (released_by IS NULL OR "
            "(released_by <> drafted_by AND released_by <> asked_by))",
            name=op.f("ck_releases_two_people"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(released_by, released_at) IN (0, 2)", name=op.f("ck_releases_released")
        ),
        sa.CheckConstraint(
            "num_nonnulls(refused_by, refused_at, refused_why) IN (0, 3)",
            name=op.f("ck_releases_refused"),
        ),
        sa.CheckConstraint(
            "released_by IS NULL OR refused_by IS NULL", name=op.f("ck_releases_one_end")
        ),
        sa.CheckConstraint(
            "num_nonnulls(reviewed_by, reviewed_at, review) IN (0, 3) "
            "AND review IN ('agreed', 'objected') "
            "AND (review IS NULL OR (released_by IS NOT NULL AND reviewed_by <> released_by "
            "AND reviewed_by <> asked_by))",
            name=op.f("ck_releases_review"),
        ),
        sa.ForeignKeyConstraint(
            ["version_id", "sha256", "drafted_by"],
            ["message_versions.id", "message_versions.sha256", "message_versions.drafted_by"],
            name=op.f("fk_releases_version_id_sha256_drafted_by_message_versions"),
        ),
        sa.ForeignKeyConstraint(
            ["permission_id"],
            ["release_permissions.id"],
            name=op.f("fk_releases_permission_id_release_permissions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        sa.UniqueConstraint(
            "id",
            "version_id",
            "sha256",
            "released_by",
            name=op.f("uq_releases_id_version_id_sha256_released_by"),
        ),
    )
    op.create_index(op.f("ix_releases_released_at"), "releases", ["released_at"])
    op.create_index(
        "ix_releases_one",
        "releases",
        ["version_id"],
        unique=True,
        postgresql_where=sa.text("refused_by IS NULL"),
    )

    op.add_column("approvals", sa.Column("release_id", sa.Integer(), nullable=True))
    op.add_column("approvals", sa.Column("passkey", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_approvals_release_id_version_id_sha256_approved_by_releases"),
        "approvals",
        "releases",
        ["release_id", "version_id", "sha256", "approved_by"],
        ["id", "version_id", "sha256", "released_by"],
    )

    op.add_column("notices", sa.Column("release_id", sa.Integer(), nullable=True))
    op.create_foreign_key(
        op.f("fk_notices_release_id_releases"), "notices", "releases", ["release_id"], ["id"]
    )
    op.create_unique_constraint(
        op.f("uq_notices_channel_id_release_id"), "notices", ["channel_id", "release_id"]
    )
    op.create_index(op.f("ix_notices_release_id"), "notices", ["release_id"])
    op.drop_constraint(op.f("ck_notices_kind"), "notices", type_="check")
    op.create_check_constraint(
        op.f("ck_notices_kind"),
        "notices",
        f"{KIND}AND (kind = 'release') = (release_id IS NOT NULL) AND kind IN "
        "('flag', 'alert', 'approval', 'watchdog', 'answer', 'release', 'digest', 'try')",
    )

    op.create_table(
        "passkeys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("transports", postgresql.JSONB(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.Column("removed_by", sa.Integer(), nullable=True),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.CheckConstraint("name <> ''", name=op.f("ck_passkeys_name")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_passkeys_person_id_people")
        ),
        sa.ForeignKeyConstraint(
            ["removed_by"], ["people.id"], name=op.f("fk_passkeys_removed_by_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index(
        op.f("ix_passkeys_person_id"),
        "passkeys",
        ["person_id"],
        postgresql_where=sa.text("removed_at IS NULL"),
    )

    op.create_table(
        "passkey_challenges",
        sa.Column("challenge_sha256", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("bound_to", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=True),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "purpose IN ('add', 'sign in', 'approve', 'settle')",
            name=op.f("ck_passkey_challenges_purpose"),
        ),
        sa.CheckConstraint(
            "(purpose = 'approve') = (content_sha256 IS NOT NULL)",
            name=op.f("ck_passkey_challenges_content"),
        ),
        sa.PrimaryKeyConstraint("challenge_sha256", name=op.f("pk_passkey_challenges")),
    )
    op.create_index(op.f("ix_passkey_challenges_expires_at"), "passkey_challenges", ["expires_at"])

    op.create_table(
        "passkey_choices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("at_approval", sa.Boolean(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_passkey_choices_person_id_people")
        ),
        sa.ForeignKeyConstraint(["by"], ["people.id"], name=op.f("fk_passkey_choices_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey_choices")),
    )
    op.create_index(op.f("ix_passkey_choices_person_id_id"), "passkey_choices", ["person_id", "id"])


def downgrade() -> None:
    op.drop_table("passkey_choices")
    op.drop_table("passkey_challenges")
    op.drop_table("passkeys")
    op.execute("DELETE FROM notices WHERE kind = 'release'")
    op.drop_constraint(op.f("ck_notices_kind"), "notices", type_="check")
    op.drop_column("notices", "release_id")
    op.create_check_constraint(
        op.f("ck_notices_kind"),
        "notices",
        f"{KIND}AND kind IN ('flag', 'alert', 'approval', 'watchdog', 'answer', 'digest', 'try')",
    )
    # What was released stays approved, by whoever released it.
    op.drop_column("approvals", "passkey")
    op.drop_column("approvals", "release_id")
    op.drop_table("releases")
    op.drop_table("release_permissions")
