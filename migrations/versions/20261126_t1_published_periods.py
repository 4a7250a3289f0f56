"""Published ledgers of a period, their cells, and what their restatements changed"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_t1'
down_revision = '20261126_r3'
branch_labels = None
depends_on = None

AREA = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')


def _counted(name: str, *more: sa.Column) -> None:
    op.create_table(name,
    *more,
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('area_path', AREA, nullable=False),
    sa.Column('district_id', sa.String(length=64), nullable=True),
    sa.Column('township_id', sa.String(length=64), nullable=True),
    sa.Column('site_id', sa.String(length=64), nullable=True),
    sa.Column('department_id', sa.String(length=64), nullable=True),
    sa.Column('category', sa.String(length=40), nullable=False),
    sa.Column('grade', sa.String(length=16), nullable=False),
    sa.Column('programme', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('unplaced_reason', sa.String(length=24), nullable=True),
    *(sa.Column(measure, sa.Integer(), nullable=False) for measure in ('found', 'open', 'overdue', 'standing', 'standing_overdue')),
    sa.PrimaryKeyConstraint('number', 'n', name=op.f(f'pk_{name}')),
    )
    op.create_index(f'ix_{name}_area', name, ['number', 'area_path'])


def upgrade() -> None:
    op.create_table('ledger_periods',
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('period', sa.String(length=24), nullable=False),
    sa.Column('edition', sa.Integer(), nullable=False),
    sa.Column('period_key', sa.String(length=40), nullable=False),
    sa.Column('restates', sa.String(length=32), nullable=True),
    sa.Column('from_on', sa.Date(), nullable=False),
    sa.Column('to_on', sa.Date(), nullable=False),
    sa.Column('timezone', sa.String(length=40), nullable=False),
    sa.Column('clock', sa.BigInteger(), nullable=False),
    sa.Column('at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('published_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('published_by', sa.String(length=64), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('completeness', sa.JSON(), nullable=False),
    sa.Column('rows', sa.Integer(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('op_id', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_ledger_periods')),
    sa.UniqueConstraint('period_key', name=op.f('uq_ledger_periods_period_key')),
    )
    op.create_index(op.f('ix_ledger_periods_restates'), 'ledger_periods', ['restates'])
    op.create_index('ix_ledger_periods_newest', 'ledger_periods', ['published_at', 'number'])
    _counted('ledger_period_cells')
    _counted('ledger_period_changes',
             sa.Column('problem_id', AREA, nullable=False),
             sa.Column('reason', sa.String(length=16), nullable=False),
             sa.Column('told', sa.JSON(), nullable=False))


def downgrade() -> None:
    for name in ('ledger_period_changes', 'ledger_period_cells'):
        op.drop_index(f'ix_{name}_area', name)
        op.drop_table(name)
    op.drop_index('ix_ledger_periods_newest', 'ledger_periods')
    op.drop_index(op.f('ix_ledger_periods_restates'), 'ledger_periods')
    op.drop_table('ledger_periods')
