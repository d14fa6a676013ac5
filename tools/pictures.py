# SPDX-License-Identifier: Apache-2.0
"""Makes the pictures of the documents: what the commands for people show, on a real terminal.

    .venv/bin/python tools/pictures.py          as root; writes docs/pictures

Each is run in tmux at 80 columns, and what is then on the screen becomes SVG.
"""

import json
import os
import shlex
import subprocess
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

import rootfs

TOP = Path(__file__).parents[1]
OCIRUN = str(TOP / ".venv" / "bin" / "ocirun")
PICTURES = TOP / "docs" / "pictures"
COLUMNS = 80

# rich's own format asks another host for fonts.
FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve"
 viewBox="0 0 {terminal_width} {height}">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px;
 line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
<rect fill="#1e1e1e" width="{terminal_width}" height="{height}"/>
<g transform="translate(10, 10)" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""


def shown(command: list[str], rows: int, until: str) -> str:
    """Run a command in a terminal of its own; give the screen once it has that text."""
    name = f"picture-{os.getpid()}"
    line = f"{shlex.join(command)}; echo; sleep 1000"
    size = ["-x", str(COLUMNS), "-y", str(rows)]
    subprocess.run(["tmux", "new-session", "-d", "-s", name, *size, line], check=True)
    screen = ""
    try:
        for _ in range(200):
            screen = subprocess.run(
                ["tmux", "capture-pane", "-e", "-p", "-t", name],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            if until in screen:
                return screen.rstrip() + "\n"
            time.sleep(0.1)
        raise SystemExit(f"{command}: never showed {until!r}: {screen}")
    finally:
        subprocess.run(["tmux", "kill-session", "-t", name], check=True)


def draw(name: str, command: str, screen: str) -> None:
    """Write a screen as a picture, below the command line that shows it."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(Text(f"$ {command}", style="bold"))
    console.print(Text.from_ansi(screen), end="")
    text = console.export_svg(title=command, code_format=FORMAT, unique_id=name)
    (PICTURES / f"{name}.svg").write_text(text, encoding="utf-8")


def bundle(directory: Path, args: list[str]) -> Path:
    """Make a bundle with limits."""
    directory.mkdir()
    mounts = rootfs.make(directory / "rootfs", rootfs.static_busybox())
    subprocess.run([OCIRUN, "spec", "--bundle", str(directory)], check=True)
    config = directory / "config.json"
    document = json.loads(config.read_text())
    document["process"] |= {"terminal": False, "args": args}
    document["mounts"] += mounts
    document["linux"]["resources"] |= {"memory": {"limit": 64 << 20}, "pids": {"limit": 50}}
    config.write_text(json.dumps(document))
    return directory


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ocirun-pictures-") as place:
        root = ["--root", f"{place}/state"]
        busy = bundle(Path(place, "web"), ["sh", "-c", "while :; do :; done"])
        idle = bundle(Path(place, "database"), ["sleep", "1000"])
        trace = f"{place}/trace.json"
        subprocess.run(
            [OCIRUN, *root, "run", "-d", "--trace", trace, "-b", str(busy), "web"], check=True
        )
        subprocess.run([OCIRUN, *root, "run", "-d", "-b", str(idle), "database"], check=True)
        try:
            top = [OCIRUN, *root, "top", "--interval", "500ms"]
            draw("top", "ocirun top", shown(top, 9, "q ends"))
        finally:
            for name in ("web", "database"):
                subprocess.run([OCIRUN, *root, "delete", "--force", name], check=True)
        steps = shown([OCIRUN, "explain", str(busy)], 600, "remove the state directory")
        draw("explain", "ocirun explain", head(steps.replace(place, ""), 44))
        draw("doctor", "ocirun doctor", shown([OCIRUN, "doctor"], 60, "tools"))
        svg = subprocess.run(
            [OCIRUN, "explain", "--svg", "--trace", trace],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        (PICTURES / "waterfall.svg").write_text(svg.replace(trace, "ocirun run"), encoding="utf-8")


def head(screen: str, lines: int) -> str:
    """Give the first lines of a long screen."""
    return "\n".join([*screen.splitlines()[:lines], "..."]) + "\n"


if __name__ == "__main__":
    main()
