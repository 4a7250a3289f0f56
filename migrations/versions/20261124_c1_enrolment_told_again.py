"""An enrolment may be told again; a replica is registered once a person; an unreadable push is kept once"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = '20261124_c1'
down_revision = '20261124_d1'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('enrol_codes', schema=None) as batch_op:
        batch_op.add_column(sa.Column('device_id', sa.String(length=64), nullable=True))
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.add_column(sa.Column('former_hash', sa.String(length=64), nullable=True))
        batch_op.create_unique_constraint(batch_op.f('uq_devices_former_hash'), ['former_hash'])
    with op.batch_alter_table('replicas', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_replicas_install_id_nonce'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_replicas_user_id_install_id_nonce'), ['user_id', 'install_id', 'nonce'])
    with op.batch_alter_table('unreadable_pushes', schema=None) as batch_op:
        batch_op.add_column(sa.Column('fp', sa.String(length=64), nullable=True))
    _name_the_kept()
    with op.batch_alter_table('unreadable_pushes', schema=None) as batch_op:
        batch_op.alter_column('fp', existing_type=sa.String(length=64), nullable=False)
        batch_op.create_unique_constraint(batch_op.f('uq_unreadable_pushes_device_id_fp'), ['device_id', 'fp'])


def _name_the_kept() -> None:
    """Each kept body gets its hash; of the same one kept twice for a device the first stays."""
    pushes = sa.table('unreadable_pushes', sa.column('n'), sa.column('device_id'), sa.column('body'), sa.column('fp'))
    connection, seen = op.get_bind(), set()
    for n, device, body in connection.execute(sa.select(pushes.c.n, pushes.c.device_id, pushes.c.body).order_by(pushes.c.n)).all():
        fp = hashlib.sha256(body).hexdigest()
        if (device, fp) in seen:
            connection.execute(sa.delete(pushes).where(pushes.c.n == n))
        else:
            seen.add((device, fp))
            connection.execute(sa.update(pushes).where(pushes.c.n == n).values(fp=fp))


def downgrade() -> None:
    with op.batch_alter_table('unreadable_pushes', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_unreadable_pushes_device_id_fp'), type_='unique')
        batch_op.drop_column('fp')
    with op.batch_alter_table('replicas', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_replicas_user_id_install_id_nonce'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_replicas_install_id_nonce'), ['install_id', 'nonce'])
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_devices_former_hash'), type_='unique')
        batch_op.drop_column('former_hash')
    with op.batch_alter_table('enrol_codes', schema=None) as batch_op:
        batch_op.drop_column('device_id')
