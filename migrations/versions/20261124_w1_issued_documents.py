"""Issued documents: number, what was printed, its digest"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261124_w1'
down_revision = '20261124_h1'
branch_labels = None
depends_on = None


def upgrade() -> None:
    area_path = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')
    op.create_table('documents',
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('issued_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('issued_on', sa.Date(), nullable=False),
    sa.Column('ent_type', sa.String(length=16), nullable=False),
    sa.Column('ent_id', area_path, nullable=False),
    sa.Column('area_path', area_path, nullable=False),
    sa.Column('department_id', sa.String(length=64), nullable=True),
    sa.Column('answers', sa.String(length=32), nullable=True),
    sa.Column('issuer_id', sa.String(length=64), nullable=False),
    sa.Column('office', sa.String(length=200), nullable=False),
    sa.Column('facts', sa.Text(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('op_id', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_documents')),
    sa.UniqueConstraint('kind', 'year', 'n', name=op.f('uq_documents_kind_year_n')),
    )
    op.create_index('ix_documents_entity', 'documents', ['ent_type', 'ent_id'])
    op.create_index('ix_documents_newest', 'documents', ['issued_at', 'number'])


def downgrade() -> None:
    op.drop_index('ix_documents_newest', 'documents')
    op.drop_index('ix_documents_entity', 'documents')
    op.drop_table('documents')
