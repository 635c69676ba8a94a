"""Drafts the next migration: from what the migrations make to what the tables say. Read it before you commit it.

usage: python -m pileus.core.migrations WHAT
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

import pileus.cloud as cloud
from pileus.core import schema
from pileus.core.db import Database, metadata

TEMPLATE = '''"""{what}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
{code}
'''


def main() -> int:
    if len(sys.argv) != 2 or not sys.argv[1].isidentifier():
        sys.stderr.write(f"{__doc__}\n")
        return 2
    assert cloud.services(), "the services' tables are known once the services are"
    with tempfile.TemporaryDirectory() as directory:
        db = Database(f"sqlite:///{directory}/draft.db")
        schema.upgrade(db)
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            script = produce_migrations(context, metadata)
    assert script.upgrade_ops is not None
    code = render_python_code(script.upgrade_ops, render_as_batch=False)
    number = int(schema.migrations()[-1].partition("_")[0]) + 1
    file = Path(__file__).parent / f"{number:04}_{sys.argv[1]}.py"
    file.write_text(TEMPLATE.format(what=sys.argv[1].replace("_", " ").capitalize(), code=_indented(code)))
    sys.stdout.write(f"{file}\n")
    return 0


def _indented(code: str) -> str:
    """Without the comments and odd types that only a draft needs."""
    lines = [line for line in code.splitlines() if not line.strip().startswith("#")]
    return "\n".join(lines).replace("pileus.core.db.Json()", "sa.Text()")


if __name__ == "__main__":
    sys.exit(main())
