"""Notices: what is to be told, inboxes, webhooks, addresses, what goes out"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_n1'
down_revision = '20261126_r2'
branch_labels = None
depends_on = None


def upgrade() -> None:
    path = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')
    key, moment = sa.String(length=64), backend.database.UtcDateTime()
    unread, waiting = sa.text('read_at IS NULL'), sa.text("state = 'waiting'")
    op.create_table('notice_facts',
        sa.Column('id', key, nullable=False),
        sa.Column('kind', sa.String(length=40), nullable=False),
        sa.Column('ent_type', sa.String(length=16), nullable=False),
        sa.Column('ent_id', path, nullable=False),
        sa.Column('area_path', path, nullable=False),
        sa.Column('by_id', key, nullable=False),
        sa.Column('at', moment, nullable=False),
        sa.Column('data', sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_notice_facts')),
    )
    op.create_table('notices',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('user_id', key, nullable=False),
        sa.Column('kind', sa.String(length=40), nullable=False),
        sa.Column('ent_type', sa.String(length=16), nullable=False),
        sa.Column('ent_id', path, nullable=False),
        sa.Column('problem_id', path, nullable=True),
        sa.Column('area_path', path, nullable=False),
        sa.Column('count', sa.Integer(), nullable=False),
        sa.Column('first_at', moment, nullable=False),
        sa.Column('at', moment, nullable=False),
        sa.Column('read_at', moment, nullable=True),
        sa.Column('data', sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_notices')),
    )
    op.create_index('uq_notices_unread', 'notices', ['user_id', 'kind', 'ent_type', 'ent_id'], unique=True, sqlite_where=unread, postgresql_where=unread)
    op.create_index('ix_notices_newest', 'notices', ['user_id', 'at', 'id'])
    op.create_table('webhooks',
        sa.Column('id', key, nullable=False),
        sa.Column('owner_id', key, nullable=False),
        sa.Column('url', sa.String(length=500), nullable=False),
        sa.Column('events', sa.JSON(), nullable=False),
        sa.Column('generation', sa.Integer(), nullable=False),
        sa.Column('rotated_at', moment, nullable=True),
        sa.Column('created_at', moment, nullable=False),
        sa.Column('failing_since', moment, nullable=True),
        sa.Column('ended_at', moment, nullable=True),
        sa.Column('ended_why', sa.String(length=24), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_webhooks')),
    )
    op.create_index('ix_webhooks_owner_id', 'webhooks', ['owner_id'])
    op.create_table('mail_addresses',
        sa.Column('user_id', key, nullable=False),
        sa.Column('address', sa.String(length=254), nullable=False),
        sa.PrimaryKeyConstraint('user_id', name=op.f('pk_mail_addresses')),
    )
    op.create_table('outgoing',
        sa.Column('id', sa.String(length=120), nullable=False),
        sa.Column('channel', sa.String(length=8), nullable=False),
        sa.Column('target', key, nullable=False),
        sa.Column('kind', sa.String(length=40), nullable=False),
        sa.Column('data', sa.JSON(), nullable=False),
        sa.Column('body', sa.Text(), nullable=True),
        sa.Column('state', sa.String(length=10), nullable=False),
        sa.Column('created_at', moment, nullable=False),
        sa.Column('run_at', moment, nullable=False),
        sa.Column('lease_until', moment, nullable=True),
        sa.Column('attempts', sa.Integer(), nullable=False),
        sa.Column('last_status', sa.Integer(), nullable=True),
        sa.Column('last_error', sa.Text(), nullable=True),
        sa.Column('ended_at', moment, nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_outgoing')),
    )
    op.create_index('ix_outgoing_due', 'outgoing', ['channel', 'run_at'], sqlite_where=waiting, postgresql_where=waiting)
    op.create_index('ix_outgoing_target', 'outgoing', ['target', 'state'])


def downgrade() -> None:
    for name in ('outgoing', 'mail_addresses', 'webhooks', 'notices', 'notice_facts'):
        op.drop_table(name)
