"""A sweep closes: when, by whom, with which coverage"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_r2'
down_revision = '20261126_r1'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sweeps', sa.Column('closed_at', backend.database.UtcDateTime(), nullable=True))
    op.add_column('sweeps', sa.Column('closed_by', sa.String(length=64), nullable=True))
    op.add_column('sweeps', sa.Column('closing', sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column('sweeps', 'closing')
    op.drop_column('sweeps', 'closed_by')
    op.drop_column('sweeps', 'closed_at')
