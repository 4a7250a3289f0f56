"""The year's orders, whom they are addressed to, the sweeps they hold; closed years"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_r4'
down_revision = '20261126_t1'
branch_labels = None
depends_on = None


def upgrade() -> None:
    area_path = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')
    op.create_table('years',
    sa.Column('year', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('closed_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('closed_by', sa.String(length=64), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('year', name=op.f('pk_years')),
    )
    op.create_table('year_orders',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('title', sa.String(length=160), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('document', sa.String(length=160), nullable=True),
    sa.Column('from_path', area_path, nullable=False),
    sa.Column('from_department', sa.String(length=64), nullable=True),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('is_open', sa.Boolean(), nullable=False),
    sa.Column('issued_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('issued_by', sa.String(length=64), nullable=False),
    sa.Column('closed_at', backend.database.UtcDateTime(), nullable=True),
    sa.Column('closed_by', sa.String(length=64), nullable=True),
    sa.Column('closing_note', sa.Text(), nullable=False),
    sa.Column('ver', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_year_orders')),
    sa.UniqueConstraint('number', name=op.f('uq_year_orders_number')),
    sa.UniqueConstraint('year', 'n', name=op.f('uq_year_orders_year_n')),
    )
    op.create_index('ix_year_orders_open', 'year_orders', ['is_open', 'due_on'])
    op.create_table('order_addressees',
    sa.Column('order_id', sa.String(length=64), nullable=False),
    sa.Column('n', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('area_path', area_path, nullable=False),
    sa.Column('department_id', sa.String(length=64), nullable=True),
    sa.Column('replies', sa.JSON(), nullable=False),
    sa.Column('replied_at', backend.database.UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('order_id', 'n', name=op.f('pk_order_addressees')),
    )
    op.create_table('order_sweeps',
    sa.Column('sweep_id', sa.String(length=64), nullable=False),
    sa.Column('order_id', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('sweep_id', name=op.f('pk_order_sweeps')),
    )
    op.create_index(op.f('ix_order_sweeps_order_id'), 'order_sweeps', ['order_id'])


def downgrade() -> None:
    op.drop_index(op.f('ix_order_sweeps_order_id'), 'order_sweeps')
    op.drop_table('order_sweeps')
    op.drop_table('order_addressees')
    op.drop_index('ix_year_orders_open', 'year_orders')
    op.drop_table('year_orders')
    op.drop_table('years')
