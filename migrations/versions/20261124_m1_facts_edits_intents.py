"""Facts, edits and intents: history lines with version, status and base; values put aside; merged problems; stop-work"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261124_m1'
down_revision = '20261124_c1'
branch_labels = None
depends_on = None

AREA = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')
ROLLUP = ['district_id', 'township_id', 'site_id', 'department_id', 'category', 'grade', 'is_open', 'due_on']


def upgrade() -> None:
    with op.batch_alter_table('problems') as batch:
        batch.add_column(sa.Column('spot', sa.Text(), nullable=True))
        batch.add_column(sa.Column('causes', sa.JSON(), nullable=False, server_default='[]'))
        batch.add_column(sa.Column('is_work_stopped', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column('merged_into', AREA, nullable=True))
        batch.add_column(sa.Column('notes', sa.JSON(), nullable=False, server_default='[]'))
        batch.drop_index('ix_problems_rollup')
        batch.create_index('ix_problems_rollup', [*ROLLUP, 'state'])
        batch.create_index('ix_problems_merged_into', ['merged_into'])
    with op.batch_alter_table('problem_events') as batch:
        batch.add_column(sa.Column('ver', sa.Integer(), nullable=False, server_default='0'))
        batch.add_column(sa.Column('status', sa.String(length=12), nullable=False, server_default='applied'))
        batch.add_column(sa.Column('base', sa.JSON(), nullable=True))
        batch.add_column(sa.Column('data', sa.JSON(), nullable=False, server_default='{}'))
    # Which version a line made was not kept. The newest is taken for all of them: an op whose author saw an older
    # one is then held to have seen none of them, which is the safe side (P73).
    op.execute('UPDATE problem_events SET ver = (SELECT ver FROM problems WHERE problems.id = problem_events.problem_id)')
    with op.batch_alter_table('problems') as batch:
        for name in ('causes', 'is_work_stopped', 'notes'):
            batch.alter_column(name, server_default=None)
    with op.batch_alter_table('problem_events') as batch:
        for name in ('ver', 'status', 'data'):
            batch.alter_column(name, server_default=None)
    op.create_table('conflicts',
    sa.Column('id', sa.String(length=100), nullable=False),
    sa.Column('op_id', sa.String(length=64), nullable=False),
    sa.Column('actor_id', sa.String(length=64), nullable=False),
    sa.Column('ent_type', sa.String(length=16), nullable=False),
    sa.Column('ent_id', AREA, nullable=False),
    sa.Column('area_path', AREA, nullable=False),
    sa.Column('field', sa.String(length=24), nullable=False),
    sa.Column('base', sa.JSON(), nullable=True),
    sa.Column('theirs', sa.JSON(), nullable=True),
    sa.Column('mine', sa.JSON(), nullable=True),
    sa.Column('kept', sa.JSON(), nullable=True),
    sa.Column('policy', sa.String(length=8), nullable=False),
    sa.Column('is_joined', sa.Boolean(), nullable=False),
    sa.Column('at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('resolved_by', sa.String(length=64), nullable=True),
    sa.Column('resolved_at', backend.database.UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_conflicts'))
    )
    with op.batch_alter_table('conflicts') as batch:
        batch.create_index('ix_conflicts_entity', ['ent_type', 'ent_id'])
        batch.create_index('ix_conflicts_waiting', ['resolved_at', 'at', 'id'])


def downgrade() -> None:
    op.drop_table('conflicts')
    # The program before knew none of these states: a claim still waits, what is merged or deleted needs nobody.
    op.execute("UPDATE problems SET state = 'fix_reported', next_actor = 'inspector' WHERE state = 'to_verify'")
    op.execute("UPDATE problems SET state = 'refuted' WHERE state IN ('merged', 'deleted')")
    with op.batch_alter_table('problem_events') as batch:
        for name in ('data', 'base', 'status', 'ver'):
            batch.drop_column(name)
    with op.batch_alter_table('problems') as batch:
        batch.drop_index('ix_problems_merged_into')
        batch.drop_index('ix_problems_rollup')
        batch.create_index('ix_problems_rollup', ROLLUP)
        for name in ('notes', 'merged_into', 'is_work_stopped', 'causes', 'spot'):
            batch.drop_column(name)
