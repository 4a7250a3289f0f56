"""Random re-inspection: draws, and what was seen of each problem drawn"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_t2'
down_revision = '20261126_r6'
branch_labels = None
depends_on = None

AREA = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')


def upgrade() -> None:
    op.create_table('samples',
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('node', sa.String(length=64), nullable=False),
    sa.Column('area_path', AREA, nullable=False),
    sa.Column('from_on', sa.Date(), nullable=False),
    sa.Column('to_on', sa.Date(), nullable=False),
    sa.Column('seed', sa.String(length=128), nullable=False),
    sa.Column('percent', sa.Integer(), nullable=False),
    sa.Column('population', sa.Integer(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('clock', sa.BigInteger(), nullable=False),
    sa.Column('drawn_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('drawn_by', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_samples')),
    )
    op.create_table('sample_items',
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('problem_id', AREA, nullable=False),
    sa.Column('stratum', sa.String(length=80), nullable=False),
    sa.Column('inspector_id', sa.String(length=64), nullable=True),
    sa.Column('area_path', AREA, nullable=False),
    sa.Column('district_id', sa.String(length=64), nullable=True),
    sa.Column('site_id', sa.String(length=64), nullable=True),
    sa.Column('department_id', sa.String(length=64), nullable=True),
    sa.Column('result', sa.String(length=12), nullable=True),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('seen_at', backend.database.UtcDateTime(), nullable=True),
    sa.Column('seen_by', sa.String(length=64), nullable=True),
    sa.PrimaryKeyConstraint('number', 'problem_id', name=op.f('pk_sample_items')),
    )
    op.create_index('ix_sample_items_area', 'sample_items', ['area_path'])
    op.create_index('ix_sample_items_problem', 'sample_items', ['problem_id'])


def downgrade() -> None:
    op.drop_index('ix_sample_items_problem', 'sample_items')
    op.drop_index('ix_sample_items_area', 'sample_items')
    op.drop_table('sample_items')
    op.drop_table('samples')
