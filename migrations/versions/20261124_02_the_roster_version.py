"""The roster's version: posts and holders are read once per version"""

import sqlalchemy as sa
from alembic import op

revision = '20261124_02'
down_revision = '20261124_01'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'roster_version',
        sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('v', sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_roster_version')),
    )


def downgrade() -> None:
    op.drop_table('roster_version')
