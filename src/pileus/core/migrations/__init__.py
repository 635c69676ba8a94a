"""NNNN_what.py, append-only: each has `upgrade(op)`, with alembic's operations. `python -m pileus.core.migrations WHAT` drafts one."""
