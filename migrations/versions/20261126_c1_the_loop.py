"""The loop: one next actor and one clock on each problem, candidates, listing, recurrence; proceedings and the sides of transfers"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_c1'
down_revision = '20261126_r4'
branch_labels = None
depends_on = None

AREA = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')


def _new() -> list[sa.Column]:
    return [
        sa.Column('clock', sa.String(length=24), nullable=True),
        sa.Column('clock_on', sa.Date(), nullable=True),
        sa.Column('clock_reason', sa.JSON(), nullable=False, server_default='{}'),
        sa.Column('clock_n', sa.Integer(), nullable=False, server_default='0'),
        sa.Column('escalated_level', sa.String(length=12), nullable=True),
        sa.Column('waits_for', sa.String(length=12), nullable=True),
        sa.Column('waits_id', sa.String(length=64), nullable=True),
        sa.Column('decide_by_on', sa.Date(), nullable=True),
        sa.Column('is_listed', sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column('listed_level', sa.String(length=12), nullable=True),
        sa.Column('report_by_on', sa.Date(), nullable=True),
        sa.Column('is_accepted', sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column('recurs_id', AREA, nullable=True),
        sa.Column('recurrence', sa.Integer(), nullable=False, server_default='0'),
    ]


DEFAULTS = ('clock_reason', 'clock_n', 'is_listed', 'is_accepted', 'recurrence')
WAITS = {
    'found': ('supervisor', 'assign'), 'confirmed': ('supervisor', 'assign'), 'assigned': ('department', 'fix'),
    'returned': ('supervisor', 'assign'), 'fixing': ('department', 'fix'), 'fix_reported': ('inspector', 'reinspect'),
    'to_verify': ('supervisor', 'reinspect'),
}


def upgrade() -> None:
    with op.batch_alter_table('problems') as batch:
        for column in _new():
            batch.add_column(column)
    _begin()
    with op.batch_alter_table('problems') as batch:
        for name in DEFAULTS:
            batch.alter_column(name, server_default=None)
        batch.create_index('ix_problems_clock', ['is_open', 'clock_on'])
        batch.create_index('ix_problems_site_item', ['site_id', 'item', 'closed_at'])
    op.create_table('proceedings',
        sa.Column('id', sa.String(length=64), nullable=False),
        sa.Column('kind', sa.String(length=12), nullable=False),
        sa.Column('problem_id', AREA, nullable=False),
        sa.Column('area_path', AREA, nullable=False),
        sa.Column('status', sa.String(length=12), nullable=False),
        sa.Column('opened_by', sa.String(length=64), nullable=False),
        sa.Column('opened_at', backend.database.UtcDateTime(), nullable=False),
        sa.Column('due_on', sa.Date(), nullable=True),
        sa.Column('due_reason', sa.JSON(), nullable=False),
        sa.Column('said', sa.JSON(), nullable=False),
        sa.Column('received_by', sa.String(length=64), nullable=True),
        sa.Column('received_at', backend.database.UtcDateTime(), nullable=True),
        sa.Column('ended_by', sa.String(length=64), nullable=True),
        sa.Column('ended_at', backend.database.UtcDateTime(), nullable=True),
        sa.Column('answer', sa.JSON(), nullable=False),
        sa.Column('ver', sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_proceedings')),
    )
    op.create_index('ix_proceedings_problem', 'proceedings', ['problem_id', 'opened_at'])
    op.create_index('ix_proceedings_kind', 'proceedings', ['kind', 'status', 'due_on'])
    op.create_table('transfer_sides',
        sa.Column('proceeding_id', sa.String(length=64), nullable=False),
        sa.Column('box', sa.String(length=8), nullable=False),
        sa.Column('area_path', AREA, nullable=False),
        sa.Column('department_id', sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint('proceeding_id', 'box', name=op.f('pk_transfer_sides')),
    )
    op.create_index(op.f('ix_transfer_sides_area_path'), 'transfer_sides', ['area_path'])


def _begin() -> None:
    """Whose turn it is follows from the state; the day is known where it is the problem's own. Since when another clock runs
    was not kept, and that is said."""
    names = ('state', 'next_actor', 'clock')
    problems = sa.table('problems', *(sa.column(name, sa.String()) for name in names), sa.column('clock_n', sa.Integer()),
                        sa.column('clock_on', sa.Date()), sa.column('due_on', sa.Date()), sa.column('clock_reason', sa.JSON()))
    for state, (actor, clock) in WAITS.items():
        on = problems.c.due_on if clock == 'fix' else None
        values = {'next_actor': actor, 'clock': clock, 'clock_n': 1, 'clock_on': on, 'clock_reason': {'none': 'before_clocks'}}
        op.execute(sa.update(problems).where(problems.c.state == state).values(**values))
    known = sa.update(problems).where(problems.c.clock_on.is_not(None))
    op.execute(known.values(clock_reason={'limit': 'fix'}))


def downgrade() -> None:
    op.drop_table('transfer_sides')
    op.drop_table('proceedings')
    with op.batch_alter_table('problems') as batch:
        batch.drop_index('ix_problems_site_item')
        batch.drop_index('ix_problems_clock')
        for column in reversed(_new()):
            batch.drop_column(column.name)
