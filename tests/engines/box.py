# SPDX-License-Identifier: Apache-2.0
"""One scenario with one runtime: the calls to the engine, and the answers that are compared."""

import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from tests.cli.keyboard import Keyboard
from tests.engines.room import ENVIRONMENT, Room

Show = Callable[[str], str]


class Engine(Protocol):
    """What a scenario needs to know of an engine."""

    name: str
    room: Room
    remove_flags: tuple[str, ...]

    def words(self, runtime: str, *words: str) -> list[str]: ...
    def run_flags(self, runtime: str) -> list[str]: ...
    def crash(self, delay: float, *words: str) -> None: ...
    def sweep(self, runtime: str) -> None: ...


@dataclass
class Answer:
    code: int
    out: str
    err: str


def mask(text: str, runtime: str, place: str) -> str:
    """Take out what differs from run to run."""
    text = text.replace(place, "PLACE").replace(place.rpartition("/")[2], "PLACE")
    text = re.sub(r"\b[0-9a-f]{64}\b", "ID", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "ID", text)
    return re.sub(rf"\b{runtime}\b", "RUNTIME", text)


@dataclass
class Box:
    """An engine and a runtime; remembers what was asked and what was answered."""

    engine: Engine
    runtime: str
    answers: list[tuple[str, int, str]] = field(default_factory=list)

    def call(
        self, *words: str, code: "int | None" = 0, show: "Show | None" = str, stdin: str = ""
    ) -> Answer:
        """Make one call; what `show` keeps of its output must be the same with runc."""
        done = subprocess.run(
            self.engine.room.words(*self.engine.words(self.runtime, *words)),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            env=ENVIRONMENT,
            check=False,
        )
        answer = Answer(done.returncode, done.stdout, done.stderr)
        # 125 to 127: Docker prints there what the runtime says, each in its own words.
        shown = show(answer.out) if show and answer.code not in {125, 126, 127} else ""
        place = str(self.engine.room.path)
        line = mask(" ".join(words), self.runtime, place)
        self.answers.append((line, answer.code, mask(shown, self.runtime, place)))
        assert code in {None, answer.code}, (self.runtime, words, answer)
        return answer

    def remove(self, *names: str) -> None:
        """Remove containers at once, whatever they are doing."""
        self.call("rm", *self.engine.remove_flags, *names, show=None)

    def run(self, *words: str, code: int = 0, show: "Show | None" = str) -> str:
        """Start a container with the image: options, then --, then the command."""
        return self.call(*self.run_words(*words), code=code, show=show).out

    def run_words(self, *words: str) -> list[str]:
        """Give the words of `run`: those before "--" are options, those behind it the command."""
        cut = words.index("--")
        flags = self.engine.run_flags(self.runtime)
        return ["run", *flags, *words[:cut], "localhost/box", *words[cut + 1 :]]

    def keyboard(self, *words: str) -> Keyboard:
        """Run a call on a terminal."""
        command = self.engine.room.words(*self.engine.words(self.runtime, *words))
        return Keyboard(*command, env=ENVIRONMENT, size=(30, 100))

    def at_once(self, count: int, work: "Callable[[int], Answer]") -> list[Answer]:
        """Make calls side by side."""
        before = len(self.answers)
        with ThreadPoolExecutor(count) as pool:
            answers = list(pool.map(work, range(count)))
        self.answers[before:] = sorted(self.answers[before:])
        return answers

    def host(self, *words: str) -> str:
        """Run a command beside the engine."""
        return self.engine.room.run(*words)


def until(question: "Callable[[], bool]", seconds: float = 20) -> bool:
    """Ask until the answer is yes: an engine has no event for everything."""
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
