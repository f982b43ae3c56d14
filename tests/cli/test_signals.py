"""Signals: what changes something finishes what is in hand, what only looks ends at once."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture
def signalled(office):
    """Run a command that gets a signal just before 3CX answers a request; give what it left."""

    def run(*args, number, method="GET", path="/xapi/v1/Contacts"):
        started = []
        office.server.hook(lambda: started[0].send_signal(number), method=method, path_prefix=path)
        started.append(office.start(*args))
        with started[0] as process:
            out, err = process.communicate(timeout=60)
        assert "Traceback" not in out + err
        return process.returncode, out, err

    return run


def test_a_delete_in_hand_is_finished_and_the_rest_is_left(office, signalled):
    office.ready()
    leavers = office.managed[3:5]
    office.export(without=leavers)
    digest = office.digest()
    code, out, err = signalled(
        "apply",
        digest,
        number=signal.SIGTERM,
        method="DELETE",
        path=f"/xapi/v1/Contacts({leavers[0]['Id']})",
    )
    assert code == 143
    assert err == "Stopping when what is in hand is finished; once more stops at once.\n"
    assert [office.has(c["Id"]) for c in leavers] == [False, True]
    assert "reconcile" in out.splitlines()[-1]
    assert office("history", "--json").json[0]["status"] == "interrupted"
    assert "0 unresolved intents" in office("db", "check").out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_command_that_only_looks_ends_at_once(office, signalled, number, code):
    assert office.init().code == 0
    left, out, err = signalled("contact", "list", number=number)
    assert (left, out) == (code, "")
    assert "Stopping" not in err
    assert office("contact", "get", 1).code == 0
