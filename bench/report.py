"""Rows of measured figures: a line each while they come, and a JSON file of all, in the format in which clouds are compared."""

import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

Row = dict[str, Any]
COLUMNS = ("ops_s", "p50_ms", "p95_ms", "p99_ms", "srv_ms")
HEAD = (
    f"{'what':44} {'conc':>4} {'n':>5} {'err':>4} "
    + " ".join(f"{name:>9}" for name in ("ops/s", "p50 ms", "p95 ms", "p99 ms", "srv ms/op"))
    + f" {'other%':>6}"
)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Of sorted values, between the two nearest."""
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


class Report:
    def __init__(self, file: Path | None = None, **about: Any) -> None:
        """`about` goes into the file beside the rows."""
        self._file, self._about = file, about
        self._began = time.perf_counter()
        self.rows: list[Row] = []
        self.figures: Row = {}
        self.problems: list[str] = []

    def head(self, section: str) -> None:
        self._section = section
        if not self.rows:
            print(HEAD)
        print(f"-- {section}   (load {psutil.getloadavg()[0]:.2f})", flush=True)

    def add(
        self, name: str, seconds: Sequence[float], wall: float, clients: int, errors: int = 0,
        used: dict[str, float] | None = None, **more: Any,
    ) -> Row:  # fmt: skip
        """One figure: how long each operation took, all of them within `wall` seconds; `used` as Processes.between."""
        ordered = sorted(1000 * each for each in seconds)
        row: Row = {"section": self._section, "name": name, "conc": clients, "n": len(ordered), "errors": errors}
        row |= {"wall_s": wall, "ops_s": len(ordered) / wall if wall else None}
        row |= dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"))
        if ordered:
            row |= {f"p{percent}_ms": percentile(ordered, percent) for percent in (50, 95, 99)}
            row |= {"mean_ms": sum(ordered) / len(ordered), "min_ms": ordered[0], "max_ms": ordered[-1]}
        row |= used or {}
        if ordered and "server_cpu_s" in row:
            row["srv_ms"] = 1000 * row["server_cpu_s"] / len(ordered)
        row |= more
        self.rows.append(row)
        print(self._line(row, more), flush=True)
        return row

    @staticmethod
    def _line(row: Row, more: Row) -> str:
        def told(name: str, digits: int) -> str:
            return "-" if row.get(name) is None else f"{row[name]:.{digits}f}"

        figures = [told(name, 1 if name == "ops_s" else 2) for name in COLUMNS]
        rest = " ".join(
            f"{name}={value:.1f}" if isinstance(value, float) else f"{name}={value}"
            for name, value in more.items()
            if not isinstance(value, dict)
        )
        start = f"{row['name']:44} {row['conc']:4d} {row['n']:5d} {row['errors']:4d} "
        return f"{start}{' '.join(f'{each:>9}' for each in figures)} {told('other_pct', 0):>6}  {rest}".rstrip()

    def figure(self, name: str, value: float, unit: str) -> None:
        """One number, which is no latency."""
        self.figures[name] = {"value": value, "unit": unit}
        print(f"{name:56} {value:.2f} {unit}".rstrip(), flush=True)

    def save(self) -> None:
        if self._file is None:
            return
        found = {
            **self._about,
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": time.perf_counter() - self._began,
            "host": platform.node(),
            "cpus": psutil.cpu_count(),
            "python": platform.python_version(),
            "rows": self.rows,
            "figures": self.figures,
            "problems": self.problems,
        }
        new = self._file.with_name(self._file.name + ".new")
        new.write_text(json.dumps(found, indent=1, default=str))
        new.replace(self._file)
