"""Deputies, who answered when, what went over with a post"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_r3'
down_revision = '20261126_n1'
branch_labels = None
depends_on = None


def upgrade() -> None:
    area_path = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')
    op.add_column('holdings', sa.Column('user_id', sa.String(length=64), nullable=True))
    op.create_table('absences',
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('post_id', sa.String(length=64), nullable=False),
    sa.Column('deputy', sa.String(length=80), nullable=False),
    sa.Column('from_on', sa.Date(), nullable=False),
    sa.Column('to_on', sa.Date(), nullable=False),
    sa.Column('note', sa.String(length=400), nullable=False),
    sa.PrimaryKeyConstraint('n', name=op.f('pk_absences')),
    sa.UniqueConstraint('post_id', 'from_on', name=op.f('uq_absences_post_id_from_on')),
    )
    op.create_index(op.f('ix_absences_post_id'), 'absences', ['post_id'])
    op.create_table('former_links',
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('problem_id', area_path, nullable=False),
    sa.Column('layer', sa.String(length=12), nullable=False),
    sa.Column('department_id', sa.String(length=64), nullable=False),
    sa.Column('area_path', area_path, nullable=False),
    sa.Column('area_id', sa.String(length=64), nullable=True),
    sa.Column('post_id', sa.String(length=64), nullable=True),
    sa.Column('title', sa.String(length=120), nullable=True),
    sa.Column('holder', sa.String(length=80), nullable=True),
    sa.Column('is_lead', sa.Boolean(), nullable=False),
    sa.Column('is_gap', sa.Boolean(), nullable=False),
    sa.Column('since_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('to_at', backend.database.UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('n', name=op.f('pk_former_links')),
    )
    op.create_index('ix_former_links_problem', 'former_links', ['problem_id', 'since_at'])
    op.create_table('post_handovers',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('post_id', sa.String(length=64), nullable=False),
    sa.Column('area_path', area_path, nullable=False),
    sa.Column('title', sa.String(length=120), nullable=False),
    sa.Column('from_person', sa.String(length=400), nullable=True),
    sa.Column('to_person', sa.String(length=80), nullable=True),
    sa.Column('to_user', sa.String(length=64), nullable=True),
    sa.Column('department_id', sa.String(length=64), nullable=True),
    sa.Column('at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('overdue', sa.Integer(), nullable=False),
    sa.Column('problems', sa.Text(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('accepted_at', backend.database.UtcDateTime(), nullable=True),
    sa.Column('accepted_by', sa.String(length=64), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_post_handovers')),
    )
    op.create_index(op.f('ix_post_handovers_post_id'), 'post_handovers', ['post_id'])
    op.create_index('ix_post_handovers_waiting', 'post_handovers', ['accepted_at', 'at', 'id'])
    op.create_index('ix_responsibilities_post', 'responsibilities', ['post_id'])


def downgrade() -> None:
    op.drop_index('ix_responsibilities_post', 'responsibilities')
    op.drop_index('ix_post_handovers_waiting', 'post_handovers')
    op.drop_index(op.f('ix_post_handovers_post_id'), 'post_handovers')
    op.drop_table('post_handovers')
    op.drop_index('ix_former_links_problem', 'former_links')
    op.drop_table('former_links')
    op.drop_index(op.f('ix_absences_post_id'), 'absences')
    op.drop_table('absences')
    op.drop_column('holdings', 'user_id')
