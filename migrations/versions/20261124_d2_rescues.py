"""Opaque dumps of devices' databases: whose they are and how much is here"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261124_d2'
down_revision = '20261124_m1'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('rescues',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('device_id', sa.String(length=64), nullable=False),
    sa.Column('user_id', sa.String(length=64), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('offset', sa.BigInteger(), nullable=False),
    sa.Column('created_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('done_at', backend.database.UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rescues'))
    )
    with op.batch_alter_table('rescues', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_rescues_device_id'), ['device_id'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('rescues', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_rescues_device_id'))

    op.drop_table('rescues')
