"""By which op a re-inspection's result and a handover's first reply came, and when the first reply did"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261126_t4'
down_revision = '20261126_t3'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sample_items', sa.Column('seen_op', sa.String(length=64), nullable=True))
    op.add_column('handovers', sa.Column('first_reply_op', sa.String(length=64), nullable=True))
    op.add_column('handovers', sa.Column('first_replied_at', backend.database.UtcDateTime(), nullable=True))
    op.execute('UPDATE handovers SET first_replied_at = replied_at')  # the newest is all that was kept so far


def downgrade() -> None:
    op.drop_column('handovers', 'first_replied_at')
    op.drop_column('handovers', 'first_reply_op')
    op.drop_column('sample_items', 'seen_op')
