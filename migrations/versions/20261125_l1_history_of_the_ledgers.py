"""The ledgers' own history, counts of now, marks, moments.

What is on record before this migration begins its history here: problem_events keep states and not places, departments or
deadlines, so an earlier moment would be a guess. Asked for one, the ledgers say since when they know.
"""

import time

import sqlalchemy as sa
from alembic import op

import backend.database

revision = '20261125_l1'
down_revision = '20261124_w1'
branch_labels = None
depends_on = None

AREA = sa.String(length=200).with_variant(sa.String(length=200, collation='C'), 'postgresql')
STILL = 2**62
AWAY = ('merged', 'deleted')
SAME = ('area_path', 'district_id', 'township_id', 'site_id', 'school_id', 'department_id', 'category', 'grade', 'programme',
        'state', 'is_open', 'due_on', 'found_at', 'unplaced_reason')
AXES = ('district_id', 'township_id', 'department_id', 'category', 'grade', 'programme', 'state', 'is_open', 'due_on', 'unplaced_reason')


def _axes(*more: sa.Column) -> list[sa.Column]:
    return [
        sa.Column('area_path', AREA, nullable=False),
        sa.Column('district_id', sa.String(length=64), nullable=True),
        sa.Column('township_id', sa.String(length=64), nullable=True),
        *more,
        sa.Column('department_id', sa.String(length=64), nullable=True),
        sa.Column('category', sa.String(length=40), nullable=False),
        sa.Column('grade', sa.String(length=16), nullable=False),
        sa.Column('programme', sa.String(length=64), nullable=False),
        sa.Column('state', sa.String(length=16), nullable=False),
        sa.Column('is_open', sa.Boolean(), nullable=False),
        sa.Column('due_on', sa.Date(), nullable=True),
        sa.Column('unplaced_reason', sa.String(length=24), nullable=True),
    ]


def upgrade() -> None:
    lines = op.create_table('ledger_lines',
        sa.Column('problem_id', AREA, nullable=False),
        sa.Column('from_clock', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('to_clock', sa.BigInteger(), nullable=False),
        *_axes(sa.Column('site_id', sa.String(length=64), nullable=True), sa.Column('school_id', sa.String(length=64), nullable=True)),
        sa.Column('is_counted', sa.Boolean(), nullable=False),
        sa.Column('found_at', backend.database.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint('problem_id', 'from_clock', name=op.f('pk_ledger_lines')),
    )
    cells = op.create_table('ledger_cells',
        *_axes(),
        sa.Column('n', sa.Integer(), nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_ledger_cells')),
    )
    op.create_table('ledger_marks',
        *_axes(),
        sa.Column('n', sa.Integer(), nullable=False),
        sa.Column('clock', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('clock', 'key', name=op.f('pk_ledger_marks')),
    )
    moments = op.create_table('ledger_moments',
        sa.Column('clock', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('at', backend.database.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint('clock', name=op.f('pk_ledger_moments')),
    )
    _begin(lines, cells, moments)
    op.create_index('ix_ledger_lines_from', 'ledger_lines', ['from_clock'])
    op.create_index('ix_ledger_lines_to', 'ledger_lines', ['to_clock'])
    op.create_index('ix_ledger_lines_area', 'ledger_lines', ['area_path', 'to_clock'])
    op.create_index('ix_ledger_moments_at', 'ledger_moments', ['at', 'clock'])


def _begin(lines: sa.Table, cells: sa.Table, moments: sa.Table) -> None:
    """One line from now on for each problem that is there; a record without any is known from its very beginning."""
    connection = op.get_bind()
    clock = connection.execute(sa.text('SELECT v FROM commit_clock')).scalar() or 0
    problems = sa.table('problems', sa.column('id'), *(sa.column(name, lines.c[name].type) for name in SAME))
    counts: dict[tuple, int] = {}
    rows: list[dict] = []
    for row in connection.execute(sa.select(problems)).mappings():
        is_counted = row['state'] not in AWAY
        rows.append({'problem_id': row['id'], 'from_clock': clock, 'to_clock': STILL, 'is_counted': is_counted, **{n: row[n] for n in SAME}})
        if is_counted:
            path = '/'.join(row['area_path'].split('/')[:3 if row['township_id'] else 2])
            cell = (path, *(None if name == 'due_on' and not row['is_open'] else row[name] for name in AXES))
            counts[cell] = counts.get(cell, 0) + 1
    for at in range(0, len(rows), 1000):
        connection.execute(lines.insert(), rows[at:at + 1000])
    found = [{'key': '|'.join(map(_word, cell)), 'area_path': cell[0], **dict(zip(AXES, cell[1:])), 'n': n} for cell, n in counts.items()]
    for at in range(0, len(found), 1000):
        connection.execute(cells.insert(), found[at:at + 1000])
    since = backend.database.from_ms(int(time.time() * 1000) if rows else 0)
    connection.execute(moments.insert(), {'clock': clock, 'at': since})


def _word(value: object) -> str:
    if value is None:
        return '~'
    return value.isoformat() if hasattr(value, 'isoformat') else str(value)


def downgrade() -> None:
    for name in ('ledger_moments', 'ledger_marks', 'ledger_cells', 'ledger_lines'):
        op.drop_table(name)
