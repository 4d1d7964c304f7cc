"""Approval by a link, changes asked, and a leader's own words checked by somebody else"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

KIND = (
    "(kind = 'flag') = (flag_id IS NOT NULL) AND (kind = 'alert') = (alert_message_id IS NOT NULL)"
)


def upgrade() -> None:
    op.create_unique_constraint(
        op.f("uq_submissions_version_id_by"), "submissions", ["version_id", "by"]
    )
    op.add_column("approvals", sa.Column("checked_by", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE approvals SET checked_by = submissions.by FROM submissions"
        " WHERE submissions.version_id = approvals.version_id"
    )
    op.create_foreign_key(
        op.f("fk_approvals_version_id_checked_by_submissions"),
        "approvals",
        "submissions",
        ["version_id", "checked_by"],
        ["version_id", "by"],
    )
    op.drop_constraint(op.f("ck_approvals_two_people"), "approvals", type_="check")
    op.create_check_constraint(
        op.f("ck_approvals_two_people"),
        "approvals",
        "approved_by <> drafted_by OR (checked_by IS NOT NULL AND checked_by <> approved_by)",
    )

    op.add_column(
        "declines",
        sa.Column("kind", sa.Text(), nullable=False, server_default=sa.text("'declined'")),
    )
    op.alter_column("declines", "kind", server_default=None)
    op.create_check_constraint(
        op.f("ck_declines_kind"), "declines", "kind IN ('declined', 'change asked')"
    )

    op.create_table(
        "approval_links",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("leader_id", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_for", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(used_at IS NULL) = (used_for IS NULL)", name=op.f("ck_approval_links_used")
        ),
        sa.CheckConstraint(
            "used_for IN ('approved', 'declined', 'change asked', 'edited')",
            name=op.f("ck_approval_links_used_for"),
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["message_versions.id"],
            name=op.f("fk_approval_links_version_id_message_versions"),
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_approval_links")),
    )
    op.create_index(op.f("ix_approval_links_version_id"), "approval_links", ["version_id"])

    op.add_column("notices", sa.Column("version_id", sa.Integer(), nullable=True))
    op.create_foreign_key(
        op.f("fk_notices_version_id_message_versions"),
        "notices",
        "message_versions",
        ["version_id"],
        ["id"],
    )
    op.create_unique_constraint(
        op.f("uq_notices_channel_id_version_id"), "notices", ["channel_id", "version_id"]
    )
    op.create_index(op.f("ix_notices_version_id"), "notices", ["version_id"])
    op.drop_constraint(op.f("ck_notices_kind"), "notices", type_="check")
    op.create_check_constraint(
        op.f("ck_notices_kind"),
        "notices",
        f"{KIND} AND (kind = 'approval') = (version_id IS NOT NULL) "
        "AND kind IN ('flag', 'alert', 'approval', 'digest', 'try')",
    )


def downgrade() -> None:
    # What was told of approvals has no place before this. Approvals of a leader's own words are
    # history and stay: the narrower rule is asked of new ones only.
    op.execute("DELETE FROM notices WHERE kind = 'approval'")
    op.drop_constraint(op.f("ck_notices_kind"), "notices", type_="check")
    op.drop_column("notices", "version_id")
    op.create_check_constraint(
        op.f("ck_notices_kind"),
        "notices",
        f"{KIND} AND kind IN ('flag', 'alert', 'digest', 'try')",
    )
    op.drop_table("approval_links")
    op.drop_column("declines", "kind")
    op.drop_constraint(op.f("ck_approvals_two_people"), "approvals", type_="check")
    op.drop_column("approvals", "checked_by")
    op.create_check_constraint(
        op.f("ck_approvals_two_people"),
        "approvals",
        "approved_by <> drafted_by",
        postgresql_not_valid=True,
    )
    op.drop_constraint(op.f("uq_submissions_version_id_by"), "submissions", type_="unique")
