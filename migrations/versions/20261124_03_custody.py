"""Custody: ops that wait for others, txn, grants; an index of what is held instead of one of everything"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261124_03'
down_revision = '20261124_b1'
branch_labels = None
depends_on = None

HELD = sa.text("status IN ('parked', 'blocked')")


def upgrade() -> None:
    op.create_table(
        'op_waits',
        sa.Column('op_id', sa.String(length=64), nullable=False),
        sa.Column('on_op', sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint('op_id', 'on_op', name=op.f('pk_op_waits')),
    )
    op.create_index(op.f('ix_op_waits_on_op'), 'op_waits', ['on_op'])
    op.create_table(
        'grants',
        sa.Column('n', sa.Integer(), nullable=False),
        sa.Column('user_id', sa.String(length=64), nullable=False),
        sa.Column('source', sa.String(length=80), nullable=False),
        sa.Column('area_path', sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql'), nullable=False),
        sa.Column('from_at', backend.database.UtcDateTime(), nullable=False),
        sa.Column('to_at', backend.database.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint('n', name=op.f('pk_grants')),
    )
    op.create_index('ix_grants_user', 'grants', ['user_id', 'to_at'])
    with op.batch_alter_table('op_log') as table:
        table.add_column(sa.Column('txn', sa.String(length=64), nullable=True))
        table.drop_index('ix_op_log_actor_id')
        table.drop_index('ix_op_log_status')
        table.create_index('ix_op_log_attention', ['actor_id', 'status'], sqlite_where=HELD, postgresql_where=HELD)


def downgrade() -> None:
    with op.batch_alter_table('op_log') as table:
        table.drop_index('ix_op_log_attention')
        table.create_index('ix_op_log_status', ['status', 'actor_id'])
        table.create_index('ix_op_log_actor_id', ['actor_id'])
        table.drop_column('txn')
    op.drop_table('grants')
    op.drop_table('op_waits')
