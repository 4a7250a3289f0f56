"""When each device was last heard of and how that went; since when a replica has held something back; photos awaited"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261124_h1'
down_revision = '20261124_p1'
branch_labels = None
depends_on = None

AWAITED = sa.text("state = 'awaiting'")


def upgrade() -> None:
    op.create_table('device_contacts',
    sa.Column('device_id', sa.String(length=64), nullable=False),
    sa.Column('seen_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('pulled_at', backend.database.UtcDateTime(), nullable=True),
    sa.Column('complete_at', backend.database.UtcDateTime(), nullable=True),
    sa.Column('complete_clock', sa.BigInteger(), nullable=True),
    sa.Column('held', sa.Integer(), nullable=True),
    sa.Column('held_at', backend.database.UtcDateTime(), nullable=True),
    sa.Column('held_since', backend.database.UtcDateTime(), nullable=True),
    sa.Column('proto', sa.Integer(), nullable=True),
    sa.Column('schema', sa.Integer(), nullable=True),
    sa.Column('failures', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('device_id', name=op.f('pk_device_contacts'))
    )
    with op.batch_alter_table('replicas', schema=None) as batch_op:
        batch_op.add_column(sa.Column('held_since', backend.database.UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column('pushed_at', backend.database.UtcDateTime(), nullable=True))
    op.create_index('ix_photos_awaited', 'photos', ['sha256'], unique=False, sqlite_where=AWAITED, postgresql_where=AWAITED)


def downgrade() -> None:
    op.drop_index('ix_photos_awaited', table_name='photos', sqlite_where=AWAITED, postgresql_where=AWAITED)
    with op.batch_alter_table('replicas', schema=None) as batch_op:
        batch_op.drop_column('pushed_at')
        batch_op.drop_column('held_since')
    op.drop_table('device_contacts')
