"""The five steps of a sector's loop, each with its figures"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_r5'
down_revision = '20261126_c1'
branch_labels = None
depends_on = None


def upgrade() -> None:
    area_path = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')
    op.create_table('sector_acts',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('sector', sa.String(length=64), nullable=False),
    sa.Column('period', sa.String(length=8), nullable=False),
    sa.Column('area_path', area_path, nullable=False),
    sa.Column('department_id', sa.String(length=64), nullable=False),
    sa.Column('step', sa.String(length=12), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('figures', sa.JSON(), nullable=False),
    sa.Column('clock', sa.BigInteger(), nullable=False),
    sa.Column('follows', sa.String(length=64), nullable=True),
    sa.Column('at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('by', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sector_acts')),
    sa.UniqueConstraint('period', 'sector', 'area_path', 'department_id', 'n', name=op.f('uq_sector_acts_period_sector_area_path_department_id_n')),
    )


def downgrade() -> None:
    op.drop_table('sector_acts')
