# SPDX-License-Identifier: Apache-2.0
"""The table of docs/engines.md: what ran, and how long it took."""

import re

from tests.repository import TOP

PAGE = TOP / "docs" / "engines.md"
ROW = re.compile(r"\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|")


class Table:
    """Rows by engine and scenario; those of engines that did not run stay as they are."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[str, str]] = {}

    def add(self, engine: str, scenario: str, seconds: dict[str, float]) -> None:
        runc = f"{seconds['runc']:.1f}" if "runc" in seconds else "cannot"
        self.rows[engine, scenario] = (runc, f"{seconds['ocirun']:.1f}")

    def write(self) -> None:
        text = PAGE.read_text()
        before, start, old = text.partition("|---|---|--:|--:|\n")
        rows = {(m[1], m[2]): (m[3], m[4]) for m in ROW.finditer(old)}
        rows.update(self.rows)
        lines = [f"| {' | '.join(key + value)} |\n" for key, value in rows.items()]
        PAGE.write_text(before + start + "".join(lines))
