"""Contacts who agreed, lists, and a delivery for each recipient"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
CHANNEL = "channel IN ('email', 'sms')"


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("county", sa.Text(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("zones", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("added_by", sa.Integer(), nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_table(
        "contact_addresses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("added_by", sa.Integer(), nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.CheckConstraint(CHANNEL, name=op.f("ck_contact_addresses_channel")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_contact_addresses_contact_id_contacts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_addresses")),
        sa.UniqueConstraint("channel", "hash", name=op.f("uq_contact_addresses_channel_hash")),
    )
    op.create_index(op.f("ix_contact_addresses_contact_id"), "contact_addresses", ["contact_id"])
    op.create_table(
        "contact_consents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=False),
        sa.Column("given_at", MOMENT, nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Integer(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_by", sa.Integer(), nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(ended_at, ended_by, ended_why) IN (0, 3)",
            name=op.f("ck_contact_consents_ended"),
        ),
        sa.ForeignKeyConstraint(
            ["address_id"],
            ["contact_addresses.id"],
            name=op.f("fk_contact_consents_address_id_contact_addresses"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_consents")),
    )
    op.create_index(op.f("ix_contact_consents_address_id"), "contact_consents", ["address_id"])
    op.create_index(
        "ix_contact_consents_standing",
        "contact_consents",
        ["address_id"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "opt_outs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.Integer(), nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_how", sa.Text(), nullable=True),
        sa.CheckConstraint(CHANNEL, name=op.f("ck_opt_outs_channel")),
        sa.CheckConstraint(
            "how IN ('stop', 'unsubscribe', 'words', 'person')", name=op.f("ck_opt_outs_how")
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_how IS NULL)", name=op.f("ck_opt_outs_ended")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opt_outs")),
    )
    op.create_index(
        "uq_opt_outs_standing",
        "opt_outs",
        ["channel", "hash"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "replies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("settled_by", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('stop', 'help', 'start', 'words')", name=op.f("ck_replies_kind")
        ),
        sa.CheckConstraint("outcome IN ('opt-out', 'no opt-out')", name=op.f("ck_replies_outcome")),
        sa.CheckConstraint(
            "num_nonnulls(settled_at, settled_by, outcome) IN (0, 3)",
            name=op.f("ck_replies_settled"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replies")),
        sa.UniqueConstraint("gateway", "gateway_id", name=op.f("uq_replies_gateway_gateway_id")),
    )
    op.create_index(
        "ix_replies_waiting",
        "replies",
        ["channel", "hash"],
        postgresql_where=sa.text("kind = 'words' AND settled_at IS NULL"),
    )
    op.create_table(
        "audiences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audiences")),
        sa.UniqueConstraint("name", name=op.f("uq_audiences_name")),
    )
    op.create_table(
        "audience_members",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("audience_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("added_by", sa.Integer(), nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("removed_by", sa.Integer(), nullable=True),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(removed_at IS NULL) = (removed_by IS NULL)",
            name=op.f("ck_audience_members_removed"),
        ),
        sa.ForeignKeyConstraint(
            ["audience_id"],
            ["audiences.id"],
            name=op.f("fk_audience_members_audience_id_audiences"),
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_audience_members_contact_id_contacts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audience_members")),
    )
    op.create_index(op.f("ix_audience_members_contact_id"), "audience_members", ["contact_id"])
    op.create_index(
        "uq_audience_members_live",
        "audience_members",
        ["audience_id", "contact_id"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "outlets",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("audience_id", sa.Integer(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("registration", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_outlets_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["audience_id"], ["audiences.id"], name=op.f("fk_outlets_audience_id_audiences")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_outlets")),
    )

    op.add_column("deliveries", sa.Column("recipient_id", sa.Integer(), nullable=True))
    op.create_foreign_key(
        op.f("fk_deliveries_recipient_id_contact_addresses"),
        "deliveries",
        "contact_addresses",
        ["recipient_id"],
        ["id"],
    )
    op.drop_constraint(op.f("uq_deliveries_approval_id_account_id"), "deliveries", type_="unique")
    # Without a recipient there is one for each account, as ever.
    op.create_unique_constraint(
        op.f("uq_deliveries_approval_id_account_id_recipient_id"),
        "deliveries",
        ["approval_id", "account_id", "recipient_id"],
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(op.f("ix_deliveries_recipient_id"), "deliveries", ["recipient_id"])
    op.create_index(
        "ix_deliveries_lists",
        "deliveries",
        ["approval_id", "account_id", "state", "id"],
        postgresql_where=sa.text("recipient_id IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_leave",
        "deliveries",
        ["record_key"],
        postgresql_where=sa.text("recipient_id IS NOT NULL"),
    )


def downgrade() -> None:
    # What went to single recipients has no place before this. It is history of what was sent, so
    # it is not thrown away unseen.
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM deliveries WHERE recipient_id IS NOT NULL) THEN "
        "RAISE EXCEPTION 'Messages went to lists: the history of these would be lost.'; "
        "END IF; END $$"
    )
    op.drop_index("ix_deliveries_leave", "deliveries")
    op.drop_index("ix_deliveries_lists", "deliveries")
    op.drop_constraint(
        op.f("uq_deliveries_approval_id_account_id_recipient_id"), "deliveries", type_="unique"
    )
    op.drop_column("deliveries", "recipient_id")
    op.create_unique_constraint(
        op.f("uq_deliveries_approval_id_account_id"), "deliveries", ["approval_id", "account_id"]
    )
    for table in (
        *("outlets", "audience_members", "audiences", "replies", "opt_outs"),
        *("contact_consents", "contact_addresses", "contacts"),
    ):
        op.drop_table(table)
