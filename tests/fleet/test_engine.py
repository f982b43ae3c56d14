"""Jobs on a real Dask cluster, with their states in a real PostgreSQL."""

from __future__ import annotations

import signal
import tomllib
from datetime import timedelta
from threading import Event

import canaries
import engines
import pytest
from canaries import SECRET
from fleet.conftest import ROOT
from fleet.test_nights import latest, verdicts

from reconcile import config, run
from reconcile.errors import StateError, UsageError
from reconcile.fleet import sent, worker
from reconcile.model import Exit
from reconcile.planning import Request
from reconcile.report import files
from reconcile.report.fleet import JobPart

NAMES = ("acme", "beta", "gamma")


def planned(jobs, name):
    return run.plan_once(jobs.config(name), jobs.world(), Request(command="plan", record=False))


def add(jobs, *names):
    for name in names:
        jobs.add(name, seed=len(name) + ord(name[0]), more=jobs.state(name))


def test_jobs_on_an_engine_come_to_what_they_would_alone(jobs, engine):
    add(jobs, *NAMES, "poor")
    jobs.add("local")
    with jobs.path("acme").open("a", encoding="utf-8") as file:
        file.write(f"\n# until May it was {SECRET}\n")
    canaries.exempt(jobs.path("acme"))
    alone = {name: planned(jobs, name) for name in NAMES}
    secrets = {k: v for k, v in jobs.environ().items() if k != "SECRET_POOR"}
    engine.scheduler()
    engine.worker("one", secrets, threads=2)
    code, report, said = engine.run(jobs)
    lines = jobs.lines(report)
    assert (code, report.headline) == (Exit.USAGE, "5 jobs: 1 refused, 1 failed, 3 applied.")
    assert lines["local"].headline.startswith("Its state is a file, which only one machine has;")
    assert lines["local"].where == ""
    assert "SECRET_POOR is missing" in " ".join(lines["poor"].said)
    for name in NAMES:
        assert verdicts(latest(jobs, name)) == verdicts(alone[name])
        assert latest(jobs, name).counts == alone[name].counts
        assert (lines[name].exit_code, lines[name].deleted) == (0, 1)
        assert (jobs.folder / "fleet" / lines[name].page).is_file()
        assert f"{name}: begun\n" in said
        there = engine.jobs("one") / name
        assert lines[name].where.endswith(f", in {there}")
        for file in files.CARRIED:
            carried = (jobs.folder / name / "reports" / "latest" / file).read_bytes()
            assert carried == (there / "reports" / "latest" / file).read_bytes()
        assert there.stat().st_mode & 0o777 == 0o700
    assert engine.jobs("one").stat().st_mode & 0o777 == 0o700
    again_on_another_worker(jobs, engine, lines)


def again_on_another_worker(jobs, engine, before):
    """Their slot was had, and what was remembered of them goes with them."""
    engine.stop("one")
    engine.worker("two", jobs.environ(), threads=2)
    code, report, _ = engine.run(jobs, "--only", "acme", "--only", "beta")
    assert code == Exit.CONVERGED
    for name in ("acme", "beta"):
        line = jobs.lines(report)[name]
        assert (line.status, line.run) == ("applied", before[name].run)
        assert line.page == before[name].page
        assert (line.where, line.seconds) == ("", None)
    code, report, _ = engine.run(jobs, "--only", "acme", "--dry-run")
    assert (code, report.jobs[0].run) == (Exit.CONVERGED, before["acme"].run + 1)
    assert latest(jobs, "acme").previous.run == before["acme"].run
    assert planned(jobs, "acme").exit_code == Exit.CONVERGED  # the marks have come back, too
    jobs.write("acme", url="https://other.example.com", more=jobs.state("other"))
    _, report, _ = engine.run(jobs, "--only", "acme")
    assert "is not the file that this job had there" in report.jobs[0].headline
    engine.jobs("two").chmod(0o750)
    _, report, _ = engine.run(jobs, "--only", "beta")
    assert "is open to others" in report.jobs[0].headline
    assert report.exit_code == Exit.USAGE


def test_a_signal_lets_the_job_under_way_finish_and_no_other_is_sent(jobs, engine):
    """By Dask's nanny, and with TLS, without which nobody gets anything."""
    add(jobs, "acme", "beta")
    engine.encrypt()
    engine.scheduler()
    engine.worker("one", jobs.environ(), nanny=True)
    certificates, engine.encryption = engine.encryption, {}
    assert "can't be reached" in refused(jobs, engine)
    engine.encryption = certificates
    leaver = jobs.leaver("acme")["Id"]
    with engine.typed(jobs, "--jobs", "1") as typed:
        jobs.servers["acme"].hook(
            lambda: typed.process.send_signal(signal.SIGTERM),
            method="DELETE",
            path_prefix=f"/xapi/v1/Contacts({leaver})",
        )
        lines = jobs.lines(typed.report())
    assert typed.process.returncode == Exit.TERMINATED
    assert lines["acme"].deleted == 1
    assert jobs.servers["acme"].book.get(leaver) is None
    assert (lines["beta"].status, lines["beta"].exit_code) == ("not_begun", Exit.TERMINATED)
    assert jobs.servers["beta"].requests == ()


def test_a_file_stop_holds_a_job_on_an_engine(jobs, engine):
    add(jobs, "acme", "beta")
    engine.scheduler()
    engine.worker("one", jobs.environ())
    (jobs.folder / "beta" / "STOP").touch()
    leaver = jobs.leaver("acme")["Id"]
    with engine.typed(jobs) as typed:

        def stop():
            (jobs.folder / "STOP").touch()
            typed.heard("acme: Stopping when what is in hand")

        jobs.servers["acme"].hook(stop, path_prefix="/xapi/v1/Contacts")
        lines = jobs.lines(typed.report())
    assert (lines["beta"].status, lines["beta"].exit_code) == ("not_begun", Exit.APPROVAL)
    assert lines["beta"].headline == "The file STOP is there: so the job was not sent."
    assert (lines["acme"].status, lines["acme"].deleted) == ("interrupted", 0)
    assert jobs.servers["acme"].book.get(leaver) is not None


def refused(jobs, engine):
    """What is said if nothing was sent."""
    with engine.typed(jobs) as typed:
        typed.process.wait(engines.PATIENCE)
        assert typed.process.stdout.read() == ""
        typed.heard("Next: ")
    assert typed.process.returncode == Exit.USAGE
    assert "Traceback" not in typed.said
    assert "Nothing was done." in typed.said
    assert all(server.requests == () for server in jobs.servers.values())
    return typed.said


def test_an_engine_that_is_not_there_or_is_another_gets_nothing(jobs, engine, tmp_path):
    jobs.write("acme", url="https://a.example.com", more=jobs.state("acme"))
    assert f"The scheduler {engine.on} can't be reached: " in refused(jobs, engine)
    engine.scheduler()
    assert f"The scheduler {engine.on} has no worker." in refused(jobs, engine)
    other = tmp_path / "other" / "reconcile_3cx-0.0.7.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: reconcile-3cx\nVersion: 0.0.7\n")
    engine.worker("old", {**jobs.environ(), "PYTHONPATH": str(other.parent)})
    said = refused(jobs, engine)
    assert f"The engine {engine.on} has other versions than this machine." in said
    assert "has reconcile-3cx 0.0.7, and this machine 0.1.0" in said
    assert said.count("  - ") == 1


@pytest.mark.parametrize(
    "on",
    ["scheduler:8786", "tcp://s:8786", "dask://", "dask://s:x", "dask://me@s", "dask://s/path"],
)
def test_what_is_no_address_of_an_engine_is_refused(jobs, on):
    jobs.write("acme", url="https://a.example.com", more='[state]\nurl = "postgresql://u@h/d"')
    with pytest.raises(UsageError, match="is no address of an engine"):
        jobs.run(on=on)


def test_a_worker_that_came_later_with_another_version_does_nothing():
    answer = worker.run_job({"version": "0.0.7", "name": "acme"})
    part = JobPart.model_validate_json(answer["line"])
    assert (part.status, part.exit_code) == ("refused", Exit.USAGE)
    assert "and who sent the job 0.0.7" in part.headline
    assert (answer["run"], answer["marks"], answer["report"]) == (None, [], {})


def test_a_document_is_written_so_that_it_is_read_as_the_same():
    document = {
        "mode": "auto",
        "crm": {"source": 'a"\\b\n\x7fé😀', "columns": {"first name": "Vor\tname"}, "options": {}},
        "policy": {"max_delete_percent": 2.5, "protect": {"ids": [7], "names": ["x", "y"]}},
        "pbx": {"verify": True, "concurrency": 4, "timeout_seconds": 1e-7},
    }
    assert tomllib.loads(sent.toml(document)) == document


def test_a_job_says_the_same_when_it_is_sent(jobs):
    """Every key of the example, and who is protected in the defaults as well."""
    example = tomllib.loads((ROOT / "config.example.toml").read_text("utf-8"))
    example["policy"]["protect"] = {"numbers": ["110"], "names": ["Zoë"]}
    with (jobs.folder / "defaults.toml").open("a") as defaults:
        defaults.write('[policy.protect]\nnumbers = ["112"]\nids = [7]\n')
    jobs.path("acme").write_text(sent.toml(example), "utf-8")
    found = jobs.config("acme")
    again = jobs.folder / "again" / "acme.toml"
    again.parent.mkdir()
    again.with_name("defaults.toml").touch()
    again.write_text(sent.toml(found.said()), "utf-8")
    there = config.load(again)
    assert dict(there) | {"base": None, "jobs": None} == dict(found) | {"base": None, "jobs": None}
    assert there.policy.protect.numbers == ["112", "110"]


def test_what_goes_wrong_with_one_job_is_its_line_and_touches_no_other(jobs, engine):
    add(jobs, "acme", "beta")
    jobs.write("gamma", url="https://c.example.com", more=jobs.state("gamma"))
    with jobs.path("gamma").open("a", encoding="utf-8") as file:
        file.write('[schedule]\ncron = "61 2 * * *"\n')
    (jobs.folder / "beta" / "reports" / "run-000002").touch()
    engine.scheduler(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    for name in ("one", "two"):
        engine.worker(name, jobs.environ(), threads=1)
    jobs.servers["acme"].hook(
        lambda: engine.kill(engine.worker_of("acme"), with_jobs=True),
        path_prefix="/xapi/v1/Contacts",
    )
    lines = jobs.lines(jobs.run(on=engine.on))
    assert (lines["acme"].status, lines["acme"].exit_code) == ("killed", Exit.BUG)
    assert lines["acme"].headline == "Its worker died."
    assert lines["gamma"].headline.startswith("schedule.cron is no cron expression")
    assert (lines["beta"].status, lines["beta"].deleted, lines["beta"].page) == ("applied", 1, "")
    assert "No report can be written" in lines["beta"].said[0]
    (jobs.folder / "beta" / "reports" / "run-000002").unlink()
    report = jobs.run(on=engine.on, resume=True, only=("acme", "beta"))
    assert [(j.name, j.status) for j in report.jobs] == [("acme", "applied"), ("beta", "applied")]


def test_a_worker_that_is_stopped_hands_its_job_over(jobs, engine):
    add(jobs, "acme")
    engine.scheduler()
    for name in ("one", "two"):
        engine.worker(name, jobs.environ(), threads=1)
    leaver = jobs.leaver("acme")["Id"]
    with engine.typed(jobs) as typed:

        def stop():
            engine.processes[engine.worker_of("acme")].terminate()
            typed.heard("acme: begun", times=2)

        jobs.servers["acme"].hook(stop, path_prefix="/xapi/v1/Contacts")
        (line,) = typed.report().jobs
    assert (line.status, line.deleted, line.run) == ("applied", 1, 3)
    assert jobs.servers["acme"].book.get(leaver) is None


def test_a_command_that_is_killed_leaves_the_job_under_way_to_its_worker(jobs, engine):
    add(jobs, "acme", "beta")
    engine.scheduler()
    engine.worker("one", jobs.environ(), threads=2)
    leaver = jobs.leaver("acme")["Id"]
    with engine.typed(jobs, "--jobs", "1") as typed:
        jobs.servers["acme"].hook(typed.process.kill, path_prefix="/xapi/v1/Contacts")
        typed.process.wait(engines.PATIENCE)
    code, report, said = engine.run(jobs, "--resume")
    lines = jobs.lines(report)
    assert (code, lines["acme"].run, lines["beta"].run) == (Exit.CONVERGED, 2, 2), said
    assert jobs.servers["acme"].book.get(leaver) is None


def test_a_scheduler_that_is_lost_is_told(jobs, engine):
    add(jobs, "acme", "beta")
    engine.scheduler()
    engine.worker("one", jobs.environ())
    over = Event()

    def strike():
        engine.kill("scheduler")
        over.wait(engines.PATIENCE)

    jobs.servers["acme"].hook(strike, path_prefix="/xapi/v1/Contacts")
    lines = jobs.lines(jobs.run(on=engine.on, at_once=1))
    over.set()
    assert (lines["acme"].status, lines["acme"].exit_code) == ("lost", Exit.BUG)
    assert lines["acme"].next == "Next: the same command with --resume"
    assert (lines["beta"].status, lines["beta"].exit_code) == ("not_begun", Exit.USAGE)
    assert lines["beta"].headline == "The scheduler was lost before its turn."


def test_a_fleet_of_files_needs_no_engine_to_be_refused(jobs):
    jobs.write("acme", url="https://a.example.com")
    (line,) = jobs.run(on="dask://127.0.0.1:1").jobs
    assert (line.status, line.exit_code) == ("refused", Exit.USAGE)


def test_a_worker_has_a_folder_of_its_own(tmp_path):
    folder = worker.jobs_folder({"XDG_STATE_HOME": str(tmp_path)})
    assert folder == tmp_path / "reconcile" / "jobs"
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="can't be made"):
        worker.jobs_folder({"RECONCILE_JOBS": str(tmp_path / "file" / "jobs")})


def test_an_engine_that_loses_its_last_worker_is_given_up(jobs, engine):
    add(jobs, "acme", "beta")
    engine.scheduler()
    engine.worker("one", jobs.environ())

    def strike():
        engine.kill("one", with_jobs=True)
        jobs.ahead += timedelta(minutes=2)

    jobs.servers["acme"].hook(strike, path_prefix="/xapi/v1/Contacts")
    report = jobs.run(on=engine.on, at_once=1)
    lines = jobs.lines(report)
    assert (lines["acme"].status, lines["acme"].exit_code) == ("lost", Exit.BUG)
    assert lines["acme"].headline.startswith("The engine lost its last worker while the job was")
    assert (lines["beta"].status, lines["beta"].exit_code) == ("not_begun", Exit.USAGE)
    assert lines["beta"].headline == "The engine lost its last worker before its turn."
