from __future__ import annotations

import ssl

import httpx
import pytest

from reconcile.sandbox import Switches


def _get(server, ca_file, host="127.0.0.1"):
    trust = ssl.create_default_context(cafile=ca_file)
    url = server.url.replace("127.0.0.1", host)
    return httpx.get(f"{url}/xapi/v1/", verify=trust)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_valid_certificate_is_believed_by_who_trusts_its_authority(start, host):
    server = start(switches=Switches(tls="valid"))
    assert server.url.startswith("https://127.0.0.1:")
    assert _get(server, server.ca_file, host).status_code == 401
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        _get(server, None)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(server.url.replace("https", "http"))


def test_a_certificate_for_another_name_is_not_believed_in_spite_of_its_authority(start):
    server = start(switches=Switches(tls="wrong_name"))
    with pytest.raises(httpx.ConnectError, match="IP address mismatch"):
        _get(server, server.ca_file)


def test_a_certificate_of_nobody_known_offers_no_authority_to_trust(start):
    server = start(switches=Switches(tls="self_signed"))
    assert server.ca_file is None
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        _get(server, server.ca_file)


def test_the_files_are_private_and_go_away_with_the_server(start):
    server = start(switches=Switches(tls="valid"))
    ca_file = server.ca_file
    assert ca_file.parent.stat().st_mode & 0o077 == 0
    assert "PRIVATE KEY" not in ca_file.read_text()
    server.stop()
    assert not ca_file.parent.exists()
    assert server.ca_file is None
    server.start()
    assert _get(server, server.ca_file).status_code == 401


def test_without_tls_there_is_no_authority(server):
    assert server.ca_file is None


def test_tls_can_change_only_while_the_server_is_down(server):
    with pytest.raises(ValueError, match="tls can't change while the server runs"):
        server.switches = Switches(tls="valid")
    assert server.switches == Switches()
    server.stop()
    server.switches = Switches(tls="valid")
    server.start()
    assert _get(server, server.ca_file).status_code == 401
    server.switches = Switches(tls="valid", etags="none")


def test_faults_work_through_tls_as_they_do_without(start, capfd):
    server = start(switches=Switches(tls="valid"))
    for fault in ({"drop": True}, {"stall": 0.01}, {"cut": 3, "body": "broken off"}):
        server.fail(**fault)
        with pytest.raises(httpx.RemoteProtocolError):
            _get(server, server.ca_file)
    server.switches = Switches(tls="valid", restart_after=1, restart_seconds=0)
    assert _get(server, server.ca_file).status_code == 401
    assert _get(server, server.ca_file).status_code == 401
    server.stop()
    assert capfd.readouterr() == ("", "")
