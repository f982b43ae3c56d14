"""What is refused before anything runs: secrets, problems, and what two jobs would share."""

from __future__ import annotations

import canaries
import pytest
from canaries import SECRET

from reconcile import config, fleet
from reconcile.errors import ConfigError, UsageError
from reconcile.model import Exit
from reconcile.report.fleet import FleetReport


def refused(jobs):
    """By job, what is said of it; no job was started."""
    report = jobs.run()
    assert not any(line == "began" for _, line in jobs.seen.lines)
    assert {job.exit_code for job in report.jobs} == {Exit.USAGE}
    assert {job.status for job in report.jobs} == {"refused"}
    return {job.name: (job.headline, *job.said) for job in report.jobs}


SECRETS = [
    f'[pbx]\nclient_secret = "{SECRET}"',
    f'[pbx]\nclient_secret_env = "{SECRET}"',
    f'[crm]\nsecret = "{SECRET}"',
    f'[crm]\nsecret_env = "{SECRET}"',
    f'[crm]\nsource = "https://crm.example.com/contacts.csv?token={SECRET}"',
    f'[crm]\nurl = "mysql://me:{SECRET}@db.example.com/crm"\nsql = "SELECT 1"',
    f'[crm]\nsource = "s3://bucket/x.csv"\noptions = {{ secret = "{SECRET}" }}',
    f'[notify]\nurls = ["slack://{SECRET}"]',
    f'[notify]\nurls_env = "{SECRET}"',
]


@pytest.mark.parametrize("where", ["job", "defaults"])
@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_refused_and_not_repeated(jobs, where, text):
    more, shared = (text, "") if where == "job" else ("", text)
    (jobs.folder / "defaults.toml").write_text(f'mode = "review"\n{shared}')
    pbx = '[pbx]\nurl = "https://pbx.example.com"\nclient_id = "x"\n'
    path = jobs.path("acme")
    path.write_text(f"{more.replace('[pbx]', pbx)}\n" if "[pbx]" in more else f"{pbx}{more}\n")
    canaries.exempt(path)
    canaries.exempt(jobs.folder / "defaults.toml")
    said = " ".join(refused(jobs)["acme"])
    wrong = "acme.toml" if where == "job" else "defaults.toml"
    key = next(line for line in text.split("\n") if SECRET in line).split(" = ")[0]
    section = text[1:].partition("]")[0]
    assert f'{wrong}, column "{section}.' in said
    assert key in said
    assert SECRET not in said


def test_all_problems_of_all_files_are_told_and_a_good_job_is_not_touched(jobs):
    jobs.write("acme", url="https://a.example.com", more="[policy]\nmax_deletes = -1")
    jobs.write("beta", url="https://b.example.com/xapi", more='[crm]\nregion = "Germany"')
    jobs.path("gone").write_text("mode = ")
    jobs.path("hosts").write_text('[pbx]\nurl = "https://me:pw@h.example.com"')
    jobs.path("fleet").write_text("")
    (jobs.folder / ".acme.toml").write_text("nothing of ours")
    (jobs.folder / "defaults.toml").write_text(
        'mode = "auto"\n[crm]\nsource = "x"\nregion = "DE"\n[policy]\ngrace = 3\n'
        'protect = { ids = ["7"] }\n[pbx]\nclient_id = "x"'
    )
    said = refused(jobs)
    assert set(said) == {"acme", "beta", "gone", "hosts", "fleet"}
    both = {
        'defaults.toml, column "policy.grace": is not a key of the configuration',
        'defaults.toml, column "policy.protect.ids.0": must be a whole number',
    }
    assert both < set(said["acme"]) & set(said["beta"])
    assert any(line.startswith('acme.toml, column "policy.max_deletes"') for line in said["acme"])
    assert any(line.startswith('beta.toml, column "crm.region"') for line in said["beta"])
    assert "not valid TOML" in said["gone"][0]
    assert said["fleet"][0] == "No job can be called fleet: the report of all is there."
    assert not (jobs.folder / "acme").exists()


def test_an_address_with_a_password_is_refused_and_not_repeated(jobs):
    jobs.write("acme", url=f"https://me:{SECRET}@pbx.example.com")
    canaries.exempt(jobs.path("acme"))
    assert "user name or password" in " ".join(refused(jobs)["acme"])


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        (
            "state.url",
            '[state]\nurl = "sqlite:////tmp/x.db"',
            '[state]\nurl="sqlite:////tmp/./x.db"',
        ),
        ("state.url", "", '[state]\nurl = "sqlite:///../acme/state/reconcile.db"'),
        (
            "state.url",
            '[state]\nurl = "postgresql+psycopg://one@db.example.com/states?schema=acme"',
            '[state]\nurl = "postgresql+psycopg://two@db.example.com/states?schema=acme"',
        ),
        ("report.directory", "", '[report]\ndirectory = "../acme/reports"'),
        (
            "notify.metrics_file",
            '[notify]\nmetrics_file = "/tmp/x.prom"',
            '[notify]\nmetrics_file = "/tmp/x.prom"',
        ),
    ],
)
def test_two_jobs_share_nothing_that_each_must_have(jobs, key, one, other):
    jobs.write("acme", url="https://a.example.com", more=one)
    jobs.write("beta", url="https://b.example.com", more=other)
    said = refused(jobs)
    assert f'column "{key}": is that of beta, too' in said["acme"]
    assert f'column "{key}": is that of acme, too' in said["beta"]
    assert said["beta"][0] == "It shares with another job what each must have of its own."


def test_one_phone_system_has_one_job_however_it_is_spelt(jobs):
    jobs.write("acme", url="https://PBX.example.com:443")
    jobs.write("beta", url="https://pbx.example.com/")
    assert set(refused(jobs)) == {"acme", "beta"}
    with pytest.raises(UsageError, match="no job gamma, zeta") as caught:
        jobs.run(only=("acme", "zeta", "gamma"))
    assert caught.value.hint == "there are acme, beta"
    assert [job.name for job in jobs.run(only=("acme",)).jobs] == ["acme"]


def test_what_is_no_folder_of_jobs_is_told(jobs, tmp_path):
    with pytest.raises(ConfigError, match="no job in"):
        jobs.run()
    with pytest.raises(ConfigError, match=r"no folder of jobs: there is no defaults\.toml"):
        fleet.found(tmp_path)
    with pytest.raises(ConfigError, match="no job itself"):
        config.load(jobs.folder / "defaults.toml")


def test_a_job_whose_folder_cannot_be_made_is_refused(jobs):
    jobs.write("acme", url="https://a.example.com")
    (jobs.folder / "acme").write_text("in the way")
    assert "can't be made: File exists" in refused(jobs)["acme"][0]


def test_a_cron_expression_that_is_none_is_told_when_slots_are_asked_for(jobs):
    jobs.write("acme", url="https://a.example.com", more='[schedule]\ncron = "61 2 * * *"')
    report = jobs.run(resume=True)
    assert report.jobs[0].headline.startswith("schedule.cron is no cron expression")
    assert isinstance(report, FleetReport)


def test_a_job_is_laid_over_the_defaults_table_by_table_and_lives_in_its_own_folder(jobs):
    jobs.write("acme", url="https://a.example.com", more="[policy]\nmax_deletes = 3")
    found = jobs.config("acme")
    assert (found.policy.max_deletes, found.policy.grace_exports) == (3, 1)
    assert (found.base, found.jobs) == (jobs.folder / "acme", jobs.folder)
    assert found.base.stat().st_mode & 0o777 == 0o700
    assert found.variables() == {"SECRET_ACME"}


def test_what_the_defaults_protect_stays_protected_in_a_job_that_protects_more(jobs):
    with (jobs.folder / "defaults.toml").open("a") as defaults:
        defaults.write('\n[policy.protect]\nnumbers = ["112"]\ntags = ["ours"]\n')
    more = '[policy.protect]\nnumbers = ["110"]\nids = [7]\n'
    jobs.write("acme", url="https://a.example.com", more=more)
    protect = jobs.config("acme").policy.protect
    assert (protect.numbers, protect.tags, protect.ids) == (["112", "110"], ["ours"], [7])


def test_a_protection_that_is_no_list_is_refused_in_a_job_too(jobs):
    (jobs.folder / "defaults.toml").write_text('mode = "review"\n[policy.protect]\nids = [7]\n')
    jobs.write("acme", url="https://a.example.com", more='[policy.protect]\nids = "8"\n')
    with pytest.raises(ConfigError) as caught:
        jobs.config("acme")
    assert any("policy.protect.ids" in str(problem) for problem in caught.value.problems)
