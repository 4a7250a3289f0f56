"""When ops were recorded, estimated from the device's evidence; how well a problem's found_at is known"""

import sqlalchemy as sa
from alembic import op

revision = '20261124_d1'
down_revision = '20261124_03'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('op_log', schema=None) as batch_op:
        batch_op.add_column(sa.Column('t_est_ms', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('t_lo_ms', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('t_hi_ms', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('t_quality', sa.String(length=10), nullable=True))
    with op.batch_alter_table('problems', schema=None) as batch_op:
        batch_op.add_column(sa.Column('found_quality', sa.String(length=10), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('problems', schema=None) as batch_op:
        batch_op.drop_column('found_quality')
    with op.batch_alter_table('op_log', schema=None) as batch_op:
        batch_op.drop_column('t_quality')
        batch_op.drop_column('t_hi_ms')
        batch_op.drop_column('t_lo_ms')
        batch_op.drop_column('t_est_ms')
