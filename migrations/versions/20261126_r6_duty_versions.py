"""Duty rules that are published, version by version"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_r6'
down_revision = '20261126_r5'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('duty_versions',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('programme', sa.String(length=64), nullable=True),
    sa.Column('match', sa.JSON(), nullable=False),
    sa.Column('lead', sa.String(length=64), nullable=False),
    sa.Column('supporting', sa.JSON(), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('valid_to', sa.Date(), nullable=True),
    sa.Column('published_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('published_by', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', 'version', name=op.f('pk_duty_versions')),
    )


def downgrade() -> None:
    op.drop_table('duty_versions')
