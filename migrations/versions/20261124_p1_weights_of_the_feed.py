"""The weight of each feed row in the check of its bucket, within the position index; where devices differ"""

import hashlib

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261124_p1'
down_revision = '20261124_d2'
branch_labels = None
depends_on = None

ROWS = sa.table(
    'feed_rows', sa.column('bucket'), sa.column('type'), sa.column('id'), sa.column('ver', sa.Integer),
    sa.column('h', sa.BigInteger),
)
AT_ONCE = 5000


def weight(kind: str, ent: str, ver: int) -> int:
    first = hashlib.sha256(f'{kind}|{ent}|{ver}'.encode()).digest()[:8]
    return int.from_bytes(first, 'big', signed=True)


def upgrade() -> None:
    op.create_table('divergences',
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('replica', sa.String(length=64), nullable=False),
    sa.Column('device_id', sa.String(length=64), nullable=False),
    sa.Column('user_id', sa.String(length=64), nullable=False),
    sa.Column('bucket', sa.String(length=100), nullable=False),
    sa.Column('epoch', sa.String(length=64), nullable=False),
    sa.Column('as_of', sa.BigInteger(), nullable=False),
    sa.Column('told_at', backend.database.UtcDateTime(), nullable=False),
    sa.Column('here', sa.JSON(), nullable=False),
    sa.Column('there', sa.JSON(), nullable=False),
    sa.Column('differing', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('n', name=op.f('pk_divergences')),
    sa.UniqueConstraint('replica', 'bucket', 'epoch', 'as_of', name=op.f('uq_divergences_replica_bucket_epoch_as_of')),
    )
    with op.batch_alter_table('feed_rows') as table:
        table.add_column(sa.Column('h', sa.BigInteger(), server_default='0', nullable=False))
        table.drop_index('ix_feed_rows_position')
    connection = op.get_bind()
    rows = connection.execute(sa.select(ROWS.c.bucket, ROWS.c.type, ROWS.c.id, ROWS.c.ver)).all()
    key = (ROWS.c.bucket == sa.bindparam('b'), ROWS.c.type == sa.bindparam('t'), ROWS.c.id == sa.bindparam('i'))
    change = sa.update(ROWS).where(*key).values(h=sa.bindparam('w'))
    for at in range(0, len(rows), AT_ONCE):
        made = [{'b': r.bucket, 't': r.type, 'i': r.id, 'w': weight(r.type, r.id, r.ver)} for r in rows[at : at + AT_ONCE]]
        connection.execute(change, made)
    op.create_index('ix_feed_rows_position', 'feed_rows', ['bucket', 'clock', 'sub', 'type', 'is_member', 'h'])


def downgrade() -> None:
    op.drop_table('divergences')
    with op.batch_alter_table('feed_rows') as table:
        table.drop_index('ix_feed_rows_position')
        table.drop_column('h')
    op.create_index('ix_feed_rows_position', 'feed_rows', ['bucket', 'clock', 'sub'])
