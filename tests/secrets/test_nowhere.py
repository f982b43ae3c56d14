"""The secret and the token are nowhere: no log, no argument, no core, no traceback, no file."""

from __future__ import annotations

import re
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import canaries
import pytest
from canaries import SECRET

from reconcile import secrecy
from reconcile.crm.sources.place import Place

DEBUG = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)
from reconcile.cli import main
main(sys.argv[1:])
"""


def test_70_with_every_logger_at_debug_neither_secret_nor_token_is_logged(night):
    leaver = next(c for c in night.server.book.all() if c["ContactType"] == "3CX" and c["Tag"])
    assert night(sys.executable, "-c", DEBUG, "plan").returncode == 0
    night.export(without=[leaver])
    done = night(sys.executable, "-c", DEBUG, "--trace", "trace.jsonl", "run")
    assert done.returncode == 0, done.stderr[-2000:]
    assert night.server.book.get(leaver["Id"]) is None
    assert "DEBUG" in done.stderr  # somebody was listening
    assert (night.folder / "trace.jsonl").stat().st_size


FAULTY = """
import httpx
class Faulty(httpx.HTTPTransport):
    def handle_request(self, request):
        if {first} or "Authorization" in request.headers:
            raise KeyError(f"{{request.headers.raw}} {{request.read()}}")
        return super().handle_request(request)
httpx.HTTPTransport = Faulty
from reconcile.cli import main
main(["plan"])
"""


@pytest.mark.parametrize("first", [True, False], ids=["the secret", "the token"])
def test_70_a_crash_file_has_neither_even_if_a_library_puts_them_into_its_message(night, first):
    done = night(sys.executable, "-c", FAULTY.format(first=first))
    assert done.returncode == 1
    (crash,) = night.folder.glob("reconcile-crash-*.txt")
    text = crash.read_text("utf-8")
    assert "KeyError" in text
    assert "…" in text
    assert "Traceback" in text
    assert not canaries.leaks(text.encode())
    assert stat.S_IMODE(crash.stat().st_mode) == 0o600


def test_70_no_secret_stands_in_an_argument_and_no_core_is_left(night):
    """While a run waits for 3CX: its command line, its limits, and those of all it has started."""
    inside, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        inside.set()
        go_on.wait(30)

    night.server.hook(hold, method="GET", path_prefix="/xapi/v1/Contacts")
    with subprocess.Popen(
        night.command("plan"),
        cwd=night.folder,
        env=night.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert inside.wait(60)
        here = Path(f"/proc/{process.pid}")
        argued, environ = (here / "cmdline").read_bytes(), (here / "environ").read_bytes()
        limits = (here / "limits").read_text()
        children = (here / "task" / str(process.pid) / "children").read_text().split()
        go_on.set()
        said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert not canaries.leaks(argued + environ + b"".join(said))
    assert re.search(r"Max core file size +0 ", limits)
    assert children == []  # so nobody inherits anything


def test_70_the_secret_is_no_option_of_any_command():
    """Only the sandbox, which guards nothing, takes one."""
    from reconcile.cli.commands import group

    options = {
        (name, option)
        for name, command in group.commands.items()
        for parameter in command.params
        for option in parameter.opts
    }
    secret = {(n, o) for n, o in options if re.search("secret|password|token", o)}
    assert secret <= {("init", "--secret-env"), ("sandbox", "--client-secret")}


def test_a_process_started_with_a_core_limit_keeps_its_hard_limit():
    code = (
        "import resource, sys\n"
        "from reconcile.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: print(resource.getrlimit(resource.RLIMIT_CORE))\n"
    )
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"(0, {hard})"


# ---------------------------------------------------------------------------- what is kept secret


AWKWARD = "canary-secret-ä'\"\\ &%+=/\n7Q"


@pytest.mark.parametrize("write", [str, repr, ascii, str.encode])
def test_a_secret_is_left_out_however_python_writes_it(write):
    secrecy.keep(AWKWARD)
    assert "canary" not in secrecy.without(f"KeyError: {write(AWKWARD)}!")
    assert secrecy.without(f"a {SECRET[:6]} b") == "a canary b"


def test_a_secret_is_left_out_of_a_form_and_of_http_basic():
    from urllib.parse import quote, urlencode

    import httpx

    Place(source="https://x.example/", auth="basic", user="jo", secret=AWKWARD)
    form = urlencode({"client_secret": AWKWARD})
    basic = next(
        httpx.BasicAuth("jo", AWKWARD).auth_flow(httpx.Request("GET", "https://x.example/"))
    ).headers["Authorization"]
    told = secrecy.without(f"{form} {quote(AWKWARD, safe='')} {basic}")
    assert told == "client_secret=… … Basic …"


def test_the_longer_secret_goes_first_and_an_empty_one_is_none():
    for secret in ("", "canary-secret-7", "canary-secret-7Q9"):
        secrecy.keep(secret)
    assert secrecy.without("a canary-secret-7Q9 b") == "a … b"
