"""The manifests: against Kubernetes' own schemas; what they say is executed.

Not executed: a cluster.
"""

from __future__ import annotations

import copy
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from cron.apart import can_mount_apart

from reconcile import config

CRON = Path(__file__).parents[2] / "cron"
FILES = ("kubernetes.yaml", "kubernetes-desk.yaml")
OBJECTS = [
    thing for name in FILES for thing in yaml.safe_load_all((CRON / name).read_text("utf-8"))
]
BY_KIND = {thing["kind"]: thing for thing in OBJECTS}
JOB = BY_KIND["CronJob"]["spec"]["jobTemplate"]["spec"]
POD = JOB["template"]["spec"]
NIGHT = POD["containers"][0]
VERSIONS = ("1.31", kubernetes_validate.latest_version())
"""The oldest that the manual names, and the newest that the package knows."""


# ---------------------------------------------------------------------------- the manifests


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("thing", OBJECTS, ids=lambda thing: thing["kind"])
def test_kubernetes_own_schema_has_nothing_to_say(thing, version):
    assert kubernetes_validate.validate(thing, version, strict=True)


def test_the_schema_knows_what_is_wrong():
    thing = copy.deepcopy(BY_KIND["CronJob"])
    thing["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"][0]["actoin"] = "Ignore"
    with pytest.raises(kubernetes_validate.ValidationError, match="actoin"):
        kubernetes_validate.validate(thing, VERSIONS[-1], strict=True)


def test_every_object_that_is_named_is_made():
    names = {(thing["kind"], thing["metadata"]["name"]) for thing in OBJECTS}
    for volume in POD["volumes"]:
        if claim := volume.get("persistentVolumeClaim"):
            assert ("PersistentVolumeClaim", claim["claimName"]) in names
        if found := volume.get("configMap"):
            assert ("ConfigMap", found["name"]) in names
    assert {m["name"] for m in NIGHT["volumeMounts"]} == {v["name"] for v in POD["volumes"]}


def test_one_night_at_a_time_and_none_is_begun_again():
    spec = BY_KIND["CronJob"]["spec"]
    assert (spec["concurrencyPolicy"], spec["startingDeadlineSeconds"]) == ("Forbid", 3600)
    assert (JOB["backoffLimit"], POD["restartPolicy"]) == (0, "Never")
    assert POD["terminationGracePeriodSeconds"] == 180
    # An exit code that is ignored is a pod that begins again: only a disruption may be.
    assert [(r["action"], "onExitCodes" in r) for r in JOB["podFailurePolicy"]["rules"]] == [
        ("Ignore", False)
    ]


def test_the_time_is_one_that_every_clock_shows():
    minute, hour, *days = BY_KIND["CronJob"]["spec"]["schedule"].split()
    assert (minute, hour, days) == ("30", "4", ["*", "*", "*"])


def test_a_pod_has_no_rights_and_writes_nowhere_but_on_its_volumes():
    assert POD["securityContext"]["runAsNonRoot"]
    assert not POD["automountServiceAccountToken"]
    assert NIGHT["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_no_secret_is_in_a_manifest():
    assert "Secret" not in BY_KIND
    assert NIGHT["envFrom"] == [{"secretRef": {"name": "reconcile"}}]


def test_the_desk_is_the_nights_pod_without_a_night():
    desk = copy.deepcopy(BY_KIND["Pod"]["spec"])
    night = copy.deepcopy(POD)
    assert desk["containers"][0].pop("command") == ["sleep", "3600"]
    assert desk.pop("terminationGracePeriodSeconds") == 1
    night.pop("terminationGracePeriodSeconds")
    for name in ("command", "args"):
        night["containers"][0].pop(name)
    assert desk == night


def test_the_configuration_in_it_is_one_and_its_paths_are_on_the_volume(tmp_path):
    """config.toml is mounted as one file, so that relative paths start from the volume."""
    path = tmp_path / "config.toml"
    path.write_text(BY_KIND["ConfigMap"]["data"]["config.toml"], "utf-8")
    found = config.load(path)
    assert (found.base, found.mode) == (tmp_path, "review")
    mounts = {m["mountPath"]: m for m in NIGHT["volumeMounts"]}
    assert mounts["/var/lib/reconcile"]["name"] == "data"
    assert mounts["/var/lib/reconcile/config.toml"]["subPath"] == "config.toml"


# ---------------------------------------------------------------------------- the night in it

READ_ONLY = """
mount --make-rprivate /
mount --bind "$1" /srv
mount -t tmpfs none /mnt
mount -o remount,bind,ro /
cd /srv
shift
exec "$@"
"""
"""As in the container: the root can only be read, the volume is elsewhere, and so is /tmp."""
WRITABLE = """
cd "$1"
shift
exec "$@"
"""
"""Where nobody may mount anything."""


@pytest.fixture
def night(installed, tmp_path):
    """The container's command line, on a root that can only be read."""
    is_apart = can_mount_apart()
    apart, script = (["unshare", "--mount"], READ_ONLY) if is_apart else ([], WRITABLE)
    words = [*apart, "sh", "-eu", "-c", script, "pod", str(installed.folder)]
    command = [*words, *NIGHT["command"], *NIGHT["args"]]
    # What was covered can't be written down there.
    kept = {k: v for k, v in installed.environ.items() if not k.startswith("COVERAGE")}
    environ = {**kept, "TMPDIR": "/mnt" if is_apart else str(tmp_path)}

    def start():
        return subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def test_a_night_with_deletes_that_wait_is_a_success(installed, night):
    installed.due()
    with night() as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert installed.report["exit_code"] == 10
    assert out.startswith("1 of 40 phone-system contacts would be deleted.")


def test_a_quiet_night_is_a_success(installed, night):
    with night() as process:
        process.communicate(timeout=120)
    assert (process.returncode, installed.report["exit_code"]) == (0, 0)


def test_every_other_code_is_left_as_it_is(installed, night):
    (installed.folder / "exports" / "contacts.csv").write_text("")
    with night() as process:
        process.communicate(timeout=120)
    assert process.returncode == 3


def test_the_signal_that_ends_a_pod_finishes_the_contact_in_hand(installed, night):
    installed.set('mode = "review"', 'mode = "auto"')
    first, second = installed.due(count=2)
    started, server = [], installed.server

    def terminate():
        os.kill(started[0].pid, signal.SIGTERM)
        # The shell hands it on when its turn comes: until then nobody may be through.
        server.switches = replace(server.switches, latency=0.5)

    path = f"/xapi/v1/Contacts({first['Id']})"
    server.hook(terminate, method="DELETE", path_prefix=path)
    started.append(night())
    with started[0] as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 143
    assert "Stopping when what is in hand is finished" in err
    assert installed.report["status"] == "interrupted"
    kept = [installed.server.book.get(c["Id"]) is not None for c in (first, second)]
    assert kept == [False, True]
