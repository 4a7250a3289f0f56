"""The histories of a server, and what moved a replica's head without a row in the op log"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261124_b1'
down_revision = '20261124_02'
branch_labels = None
depends_on = None


def upgrade() -> None:
    epochs = op.create_table('epochs',
    sa.Column('epoch', sa.String(length=64), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('began_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('clock', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.String(length=24), nullable=False),
    sa.Column('detail', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('epoch', name=op.f('pk_epochs')),
    sa.UniqueConstraint('n', name=op.f('uq_epochs_n'))
    )
    op.create_table('replica_steps',
    sa.Column('replica', sa.String(length=64), nullable=False),
    sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('op_id', sa.String(length=64), nullable=False),
    sa.Column('fp', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('replica', 'seq', name=op.f('pk_replica_steps'))
    )
    # A server that has an epoch already has lived in that one history only: no release could begin another.
    found = op.get_bind().execute(sa.text('SELECT epoch FROM server_meta')).scalar()
    if found is not None:
        row = {'epoch': found, 'n': 1, 'clock': 0, 'reason': 'new', 'detail': {}}
        op.bulk_insert(epochs, [{**row, 'began_at': datetime.now(UTC)}])


def downgrade() -> None:
    op.drop_table('replica_steps')
    op.drop_table('epochs')
