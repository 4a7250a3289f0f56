"""Evaluation: published weights, evaluations and their rows"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_t3'
down_revision = '20261126_n2'
branch_labels = None
depends_on = None

AREA = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')


def upgrade() -> None:
    op.create_table('evaluation_weights',
    sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('weights', sa.JSON(), nullable=False),
    sa.Column('published_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('published_by', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('version', name=op.f('pk_evaluation_weights')),
    )
    op.create_table('evaluations',
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('period', sa.String(length=24), nullable=False),
    sa.Column('from_on', sa.Date(), nullable=False),
    sa.Column('to_on', sa.Date(), nullable=False),
    sa.Column('timezone', sa.String(length=40), nullable=False),
    sa.Column('weights_version', sa.Integer(), nullable=False),
    sa.Column('clock', sa.BigInteger(), nullable=False),
    sa.Column('at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('published_by', sa.String(length=64), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_evaluations')),
    )
    op.create_table('evaluation_rows',
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('subject', sa.String(length=64), nullable=False),
    sa.Column('area_path', AREA, nullable=False),
    sa.Column('department_id', sa.String(length=64), nullable=True),
    sa.Column('figures', sa.JSON(), nullable=False),
    sa.Column('score', sa.Float(), nullable=True),
    sa.Column('is_small', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('number', 'subject', name=op.f('pk_evaluation_rows')),
    )


def downgrade() -> None:
    for name in ('evaluation_rows', 'evaluations', 'evaluation_weights'):
        op.drop_table(name)
