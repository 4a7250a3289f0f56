"""When an upload that nobody goes on with is forgotten"""

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261127_u1'
down_revision = '20261126_t4'
branch_labels = None
depends_on = None
KEPT_MS = 30 * 86_400_000


def upgrade() -> None:
    with op.batch_alter_table('uploads') as table:
        table.add_column(sa.Column('expires_at', backend.database.UtcDateTime(), nullable=True))
    op.execute(f'UPDATE uploads SET expires_at = created_at + {KEPT_MS}')
    with op.batch_alter_table('uploads') as table:
        table.alter_column('expires_at', existing_type=sa.BigInteger(), nullable=False)
        table.create_index(op.f('ix_uploads_expires_at'), ['expires_at'])


def downgrade() -> None:
    with op.batch_alter_table('uploads') as table:
        table.drop_index(op.f('ix_uploads_expires_at'))
        table.drop_column('expires_at')
