"""Handovers: batches of problems given to an office with one deadline, and what is answered about each"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_r1'
down_revision = '20261125_l1'
branch_labels = None
depends_on = None


def upgrade() -> None:
    area_path = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')
    op.create_table('handovers',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('area_path', area_path, nullable=False),
    sa.Column('department_id', sa.String(length=64), nullable=True),
    sa.Column('from_path', area_path, nullable=False),
    sa.Column('from_department', sa.String(length=64), nullable=True),
    sa.Column('of_type', sa.String(length=8), nullable=True),
    sa.Column('of_id', sa.String(length=64), nullable=True),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('is_open', sa.Boolean(), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('demand', sa.Text(), nullable=False),
    sa.Column('issued_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('issued_by', sa.String(length=64), nullable=False),
    sa.Column('signed_at', backend.database.UtcDateTime(), nullable=True),
    sa.Column('signed_by', sa.String(length=64), nullable=True),
    sa.Column('replied_at', backend.database.UtcDateTime(), nullable=True),
    sa.Column('closed_at', backend.database.UtcDateTime(), nullable=True),
    sa.Column('closed_by', sa.String(length=64), nullable=True),
    sa.Column('closing_note', sa.Text(), nullable=False),
    sa.Column('ver', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_handovers')),
    sa.UniqueConstraint('number', name=op.f('uq_handovers_number')),
    sa.UniqueConstraint('year', 'n', name=op.f('uq_handovers_year_n')),
    )
    op.create_index('ix_handovers_open', 'handovers', ['is_open', 'due_on', 'id'])
    op.create_index('ix_handovers_of', 'handovers', ['of_type', 'of_id'])
    op.create_table('handover_items',
    sa.Column('handover_id', sa.String(length=64), nullable=False),
    sa.Column('problem_id', area_path, nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('area_path', area_path, nullable=False),
    sa.Column('department_id', sa.String(length=64), nullable=True),
    sa.Column('open_key', area_path, nullable=True),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('result', sa.String(length=12), nullable=True),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('replied_at', backend.database.UtcDateTime(), nullable=True),
    sa.Column('replied_by', sa.String(length=64), nullable=True),
    sa.Column('judged_at', backend.database.UtcDateTime(), nullable=True),
    sa.Column('judged_by', sa.String(length=64), nullable=True),
    sa.Column('judgement', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('handover_id', 'problem_id', name=op.f('pk_handover_items')),
    sa.UniqueConstraint('open_key', name=op.f('uq_handover_items_open_key')),
    )
    op.create_index('ix_handover_items_problem', 'handover_items', ['problem_id'])


def downgrade() -> None:
    op.drop_index('ix_handover_items_problem', 'handover_items')
    op.drop_table('handover_items')
    op.drop_index('ix_handovers_of', 'handovers')
    op.drop_index('ix_handovers_open', 'handovers')
    op.drop_table('handovers')
