"""Typing a page's commands into a real shell, beside real sandboxes."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import warm

if TYPE_CHECKING:
    from manual.pages import Step

SECRET = "sandbox-secret"
BASH = which("bash")
_END = "\x1e the command has ended"


class Shell:
    """One bash that stays, as a terminal does: its folder and its variables last."""

    def __init__(self, home: Path, commands: Path) -> None:
        self.home = home
        self.door = warm.in_path(commands)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RECONCILE")}
        places = (str(commands), sysconfig.get_path("scripts"), os.environ["PATH"])
        path = os.pathsep.join(places)
        self.environ = {**kept, "HOME": str(home), "PATH": path, "NO_PROXY": "*", "COLUMNS": "100"}
        self._bash = subprocess.Popen(
            [BASH, "--noprofile", "--norc"],
            cwd=home,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            pass_fds=[self.door],
        )

    def __call__(self, command: str, answers: str = "") -> tuple[int, str]:
        """Type a command and its answers; gives its exit code and all that it printed."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as typed:
            typed.write(answers)
            typed.flush()
            end = f"code=$?; printf '\\n{_END} %s\\n' $code; (exit $code)"
            self._bash.stdin.write(f"{{ {command}\n}} < {typed.name}; {end}\n")
            self._bash.stdin.flush()
            lines = []
            for line in self._bash.stdout:
                if line.startswith(_END):
                    return int(line.split()[-1]), "".join(lines)
                lines.append(line)
        raise AssertionError("".join(lines))

    @property
    def folder(self) -> Path:
        """Where it stands."""
        return Path(self("pwd")[1].strip())

    def close(self) -> None:
        self._bash.communicate(timeout=30)


@dataclass
class Walk:
    """A reader of one page: what was printed, and what stands for what."""

    shell: Shell
    real: dict[str, str] = field(default_factory=dict)
    """What the page says → what it is here: addresses, the digest, the run."""
    sandboxes: list[subprocess.Popen] = field(default_factory=list)

    def typed(self, command: str) -> str:
        """The command with the real address, digest, run and secret."""
        command = re.sub(r"(?<=apply )[0-9a-f]{12}\b", "DIGEST", command)
        command = command.replace("SECRET=…", f"SECRET={SECRET}")
        for shown, real in self.real.items():
            command = command.replace(shown, real)
        return command

    def as_written(self, printed: str) -> str:
        """What was printed, with the page's address and folder."""
        for shown, real in self.real.items():
            if shown.startswith("http"):
                printed = printed.replace(real, shown)
        return printed.replace(str(self.shell.home), "/home/you")

    def take(self, step: Step) -> tuple[int, str]:
        """Do one step; gives the exit code and what was printed, as the page would write it."""
        if step.command.startswith("reconcile sandbox"):
            return 0, self.begin_sandbox(step.command, shown="http://127.0.0.1:5001")
        answers = f"{SECRET}\n" if step.command.startswith("read ") else self.typed(step.answers)
        code, printed = self.shell(self.typed(step.command), answers)
        self.learn(printed)
        return code, self.as_written(printed)

    def learn(self, printed: str) -> None:
        """The digest and the run that the next commands mean, as a reader copies them."""
        if said := re.search(r"reconcile apply ([0-9a-f]{12})", printed):
            self.real["DIGEST"] = said[1]
        if said := re.search(r"reconcile restore --run (\d+)", printed):
            self.real["RUN"] = said[1]

    def begin_sandbox(self, command: str, *, shown: str) -> str:
        """A sandbox on a free port, until the walk ends; gives what it said when it was ready."""
        process = subprocess.Popen(
            [BASH, "-c", f"exec {command} --port 0"],
            cwd=self.shell.folder,
            env=self.shell.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            pass_fds=[self.shell.door],
        )
        self.sandboxes.append(process)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C ends it."):
                break
        self.real[shown] = re.search(r"http://127\.0\.0\.1:\d+", "".join(lines))[0]
        return self.as_written("".join(lines))

    def set(self, toml: str) -> None:
        """Edit config.toml as the page says: each line in place of the one with its key."""
        config = self.shell.folder / "config.toml"
        text = config.read_text("utf-8")
        for line in toml.splitlines():
            key = re.escape(line.split("=")[0].strip())
            pattern = re.compile(rf"^{key} = .*$", re.MULTILINE)
            text, count = pattern.subn(lambda _, said=line: said, text)
            assert count == 1, line
        config.write_text(text, "utf-8")

    def end(self) -> None:
        """Stop the sandboxes that this walk began, and leave the shell."""
        self.shell.close()
        for process in self.sandboxes:
            process.terminate()
            process.communicate(timeout=30)
