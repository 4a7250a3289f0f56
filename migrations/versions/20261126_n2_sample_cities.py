"""Whether the loaded city is a sample: until now every one was printed as if it were"""

import sqlalchemy as sa
from alembic import op

revision = '20261126_n2'
down_revision = '20261126_t2'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('territory_version') as table:
        table.add_column(sa.Column('is_sample', sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table('territory_version') as table:
        table.alter_column('is_sample', server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('territory_version') as table:
        table.drop_column('is_sample')
