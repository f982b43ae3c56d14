"""Every command. Each body is: load the configuration, call one function, print, exit code."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile import __version__
from reconcile.cli import unread
from reconcile.model import Exit

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconcile.config import Config
    from reconcile.model import Slot, SlotHad
    from reconcile.notify import Watch
    from reconcile.report.model import Report

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON to stdout.")
_FULL = click.option("--full", is_flag=True, help="Show every row of every list.")
_FILE = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="reconcile")
@click.option(
    "-c",
    "--config",
    "config_path",
    type=_FILE,
    default=Path("config.toml"),
    envvar="RECONCILE_CONFIG",
    show_default=True,
    show_envvar=True,
    help="The configuration file.",
)
@click.option(
    "--trace",
    "trace_path",
    type=_FILE,
    help="Append a line of JSON per request to 3CX to this file; no secret, no name, no number.",
)
@click.pass_context
def group(context: click.Context, config_path: Path, trace_path: Path | None) -> None:
    """Keep a 3CX phone system's contacts in step with a CRM.

    A contact is deleted only when its person has provably left the CRM, by a plan that was
    approved, under a precondition, with everything needed to put it back.
    """
    context.obj = config_path
    if trace_path is not None:
        from reconcile.cli.world import begin_trace

        begin_trace(context, trace_path)


def _config(context: click.Context) -> Config:
    from reconcile import config

    return config.load(context.obj)


def _print(report: Report, config: Config, form: str, *, full: bool = False) -> int:
    """The report to stdout; gives its exit code."""
    from reconcile.report import files, forms

    page = files.page_of(report, config.path(config.report.directory))
    write = partial(forms.write, report, sys.stdout, form, full=full, page=page)
    return _written(write, int(report.exit_code))


def _written(write: Callable[[], None], code: int) -> int:
    """What a command found, to stdout after all bars; gives the exit code."""
    from reconcile.cli import bars

    bars.end()
    try:
        write()
        sys.stdout.flush()
    except BrokenPipeError:
        return unread(code)
    return code


# ---------------------------------------------------------------------------- first contact


@group.command()
@click.option("--keep", type=_FILE, help="Keep the demo's files in this folder.")
def demo(keep: Path | None) -> int:
    """A sandbox PBX, three nights, an orphan, an edited contact, a restore: in seconds."""
    from reconcile.sandbox.demo import run_demo

    return run_demo(sys.stdout, keep=keep)


@group.command()
@click.option("--mode", type=click.Choice(["review", "auto"]), help="review: a person applies.")
@click.option("--source", help="Path, glob or address of the CRM export.")
@click.option("--region", help="Country code for numbers without one, such as DE.")
@click.option("--pbx-url", help="Address of the 3CX, with its port.")
@click.option("--client-id", help="Client id of the 3CX API.")
@click.option("--secret-env", help="Environment variable that holds the client secret.")
@click.option("--delete-guard", type=click.Choice(["etag", "compare"]), help="See the manual.")
@click.pass_context
def init(context: click.Context, /, **answers: str | None) -> int:
    """Write config.toml from questions or flags, and the state database."""
    from reconcile import setup
    from reconcile.cli.world import real_world

    setup.refuse_existing(context.obj)
    said = {name: _asked(name) if given is None else given for name, given in answers.items()}
    for line in setup.init_once(context.obj, said, now=real_world().clock()):
        click.echo(line)
    return 0


def _asked(name: str) -> str:
    """The answer of a person, who is asked again for what can't be one."""
    from reconcile import setup

    question = setup.QUESTIONS[name]
    while why := setup.fault(name, said := _prompt(question.text, question.default)):
        click.echo(f"  It {why}" if why[0].islower() else f"  {why}", err=True)
    return said


def _prompt(text: str, default: str) -> str:
    return str(click.prompt(text, default=default, err=True))


@group.command()
@click.option("--probe", is_flag=True, help="Prove the delete guard on a throw-away contact.")
@click.option("--notify", is_flag=True, help="Send a test message to each of notify.urls.")
@_JSON
@click.pass_context
def doctor(context: click.Context, *, probe: bool, notify: bool, as_json: bool) -> int:
    """Check everything that a run needs: a line each, with the mend."""
    from reconcile import doctor as checks
    from reconcile.cli import show
    from reconcile.cli.world import real_world

    results = checks.examine(context.obj, real_world(), probe=probe, notify=notify)
    click.echo(show.as_json(results) if as_json else show.checks(results))
    return int(checks.exit_code(results))


@group.command()
@click.argument("files", metavar="FILE", type=_FILE, nargs=-1)
@click.option("--format", help="Accept this format only; --formats lists them.")
@click.option("--formats", "list_formats", is_flag=True, help="List formats and CRMs.")
@_JSON
@click.pass_context
def columns(
    context: click.Context,
    files: tuple[Path, ...],
    *,
    format: str | None,  # noqa: A002 - the option's name
    list_formats: bool,
    as_json: bool,
) -> int:
    """Show how an export would be read: format, encoding, header → column, what is ignored.

    FILE is a file, a glob, a folder, or all files of a split export.
    """
    from reconcile.cli import show
    from reconcile.config import how_read
    from reconcile.crm import describe, known

    if list_formats:
        click.echo(show.as_json(known()) if as_json else show.formats(known()))
        return 0
    if not files:
        raise click.UsageError("Name the FILE of an export, or --formats.")
    if format not in (None, *known().formats):
        raise click.UsageError(f"No format is called {format}: reconcile columns --formats")
    reading = describe(files, **how_read(context.obj, format=format))
    click.echo(show.as_json(reading) if as_json else show.reading(reading))
    return 0 if not reading.problems else int(Exit.EXPORT)


# ---------------------------------------------------------------------------- the nights


@group.command()
@click.option("--export", type=str, help="Read this export instead of the configured source.")
@click.option("--now", "immediate", is_flag=True, help="Without grace; only applied by digest.")
@click.option("--no-record", is_flag=True, help="Leave the state and the reports as they are.")
@click.option("--all", "with_matched", is_flag=True, help="Report matched contacts too.")
@_FULL
@_JSON
@click.pass_context
def plan(
    context: click.Context,
    *,
    export: str | None,
    immediate: bool,
    no_record: bool,
    with_matched: bool,
    full: bool,
    as_json: bool,
) -> int:
    """The dry run: report and digest, exit code 0 or 10. Sends nothing but GETs."""
    from reconcile import notify
    from reconcile import run as runs
    from reconcile.cli.world import finishing_world
    from reconcile.planning import Request

    request = Request(
        command="plan",
        export=str(Path(export).absolute()) if export else None,
        immediate=immediate,
        record=not no_record,
        with_matched=with_matched,
    )
    config, world = _config(context), finishing_world()
    with notify.logged(config, world, "plan") as log:
        report = runs.plan_once(config, world, request)
        log.ended(report)
    return _print(report, config, "json" if as_json else "text", full=full)


@group.command()
@click.argument("digest")
@_FULL
@_JSON
@click.pass_context
def apply(context: click.Context, digest: str, *, full: bool, as_json: bool) -> int:
    """Delete what the plan with this DIGEST approved and what is still due."""
    from reconcile import notify
    from reconcile import run as runs
    from reconcile.cli.world import finishing_world

    config, world = _config(context), finishing_world()
    with notify.logged(config, world, "apply") as log:
        report = runs.apply_once(config, world, digest)
        log.ended(report)
    notify.tell(config, world, report)
    return _print(report, config, "json" if as_json else "text", full=full)


@group.command()
@click.option("--dry-run", is_flag=True, help="Plan only, whatever the mode is.")
@click.option(
    "--quiet", is_flag=True, help="Print nothing unless something is due, was done, or went wrong."
)
@_FULL
@_JSON
@click.option("--all", "folder", type=_FILE, help="Run every job of this folder, each by itself.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="With --all: this job; may be repeated."
)
@click.option("--resume", is_flag=True, help="Only if no run has come to its end for this slot.")
@click.option("--slot", metavar="MOMENT", help="With --resume: this slot; else the newest.")
@click.option(
    "--jobs", "at_once", type=click.IntRange(1, 64), help="With --all: so many at once.  [4]"
)
@click.option(
    "--limit", type=click.IntRange(min=1), help="With --all: minutes that a job may take.  [120]"
)
@click.option("--report", type=_FILE, help="With --all: the folder of the report of all jobs.")
@click.option(
    "--on", metavar="ENGINE", help="With --all: on dask://HOST:PORT, not on this machine."
)
@click.pass_context
def run(
    context: click.Context,
    /,
    *,
    dry_run: bool,
    quiet: bool,
    full: bool,
    as_json: bool,
    folder: Path | None,
    resume: bool,
    slot: str | None,
    **of_all: Any,  # noqa: ANN401 - options of several types
) -> int:
    """What cron calls: does what `mode` says."""
    given = {name: value for name, value in of_all.items() if value}
    if slot and (folder or not resume):
        raise click.UsageError("--slot is for one job, and says which slot --resume is about.")
    if folder is not None:
        if full or context.find_root().params["trace_path"]:
            raise click.UsageError("--full and --trace are for one job: name it by --config.")
        given |= {"dry_run": dry_run, "resume": resume}
        return _run_all(folder, given, quiet=quiet, as_json=as_json)
    if given:
        raise click.UsageError("--only, --jobs, --limit, --report and --on are for --all.")
    from reconcile import notify
    from reconcile.cli.world import finishing_world
    from reconcile.model import SlotHad

    config, world = _config(context), finishing_world()
    with notify.watched(config, world, for_slot=resume) as watch:
        found = _run(config, watch, resume=resume, slot=slot, dry_run=dry_run)
        if not isinstance(found, SlotHad):
            watch.ended(found)
    if isinstance(found, SlotHad):
        return _had(found, quiet=quiet, as_json=as_json)
    if quiet and found.is_uneventful:
        return int(found.exit_code)
    return _print(found, config, "json" if as_json else "text", full=full)


def _run(
    config: Config, watch: Watch, *, resume: bool, slot: str | None, dry_run: bool
) -> Report | SlotHad:
    """A run, by hand or for a slot."""
    from reconcile import run as runs

    if not resume:
        return runs.run_once(config, watch.world, dry_run=dry_run)
    from reconcile import slots

    def begins(died: Slot | None) -> None:
        watch.begins()
        if died:
            click.echo(slots.taken_over(moment, died), err=True)  # no explanation of an end

    moment = slots.asked(config, watch.world.clock(), slot)
    return runs.run_slot(config, watch.world, moment, dry_run=dry_run, begins=begins)


def _had(had: SlotHad, *, quiet: bool, as_json: bool) -> int:
    """That there is nothing to do for a slot."""
    from reconcile import slots
    from reconcile.cli import show

    if not quiet or as_json:
        click.echo(show.as_json(had) if as_json else show.lines([slots.told(had)]))
    return int(Exit.CONVERGED)


def _run_all(folder: Path, given: dict[str, Any], *, quiet: bool, as_json: bool) -> int:
    """All jobs of a folder, and the report of all to stdout."""
    from datetime import timedelta

    from reconcile import fleet
    from reconcile.cli import jobs
    from reconcile.cli.world import finishing_world
    from reconcile.report import fleet as combined

    if "limit" in given:
        given["limit"] = timedelta(minutes=given["limit"])
    wish = fleet.Wish(**given)
    with jobs.watching(quiet=quiet) as watcher:
        report, page = fleet.run_all(folder, finishing_world(), wish, watcher)
    code = int(report.exit_code)
    if quiet and report.is_uneventful:
        return code
    text = partial(combined.render, report, sys.stdout, page=str(page))
    return _written(partial(click.echo, report.to_json(), nl=False) if as_json else text, code)


@group.command()
@click.pass_context
def schedule(context: click.Context) -> int:
    """Stay in the foreground and run on the configured cron expression."""
    from reconcile.cli.world import finishing_world
    from reconcile.schedule import run_forever

    return run_forever(_config(context), finishing_world())


# ---------------------------------------------------------------------------- looking back


@group.command()
@click.argument("run_id", metavar="[RUN]", type=int, required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "html", "csv", "markdown", "json"]),
    default="text",
    show_default=True,
    help="A page to read and sign, a table for spreadsheets, a ticket, or data.",
)
@_FULL
@click.pass_context
def report(context: click.Context, run_id: int | None, form: str, *, full: bool) -> int:
    """Print the report of RUN, or of the latest run, again."""
    from reconcile.report import files

    config = _config(context)
    found = files.read(config.path(config.report.directory), run_id)
    _print(found, config, form, full=full)
    return 0


@group.command()
@click.option("-n", "limit", type=click.IntRange(min=1), default=20, show_default=True)
@_JSON
@click.pass_context
def history(context: click.Context, limit: int, *, as_json: bool) -> int:
    """Past runs, the newest first, and the trend of the last 30."""
    from reconcile.cli import show
    from reconcile.report import files
    from reconcile.session import state

    config = _config(context)
    with state(config) as ledger:
        runs = ledger.runs(limit=limit)
    latest = files.latest(config.path(config.report.directory))
    told = show.history(runs, latest, encoding=sys.stdout.encoding or "ascii")
    click.echo(show.as_json(runs) if as_json else told)
    return 0


@group.command()
@click.argument("who", nargs=-1, required=True)
@click.option("--run", "run_id", type=int, help="In this run; else in the latest with evidence.")
@_JSON
@click.pass_context
def explain(
    context: click.Context, who: tuple[str, ...], run_id: int | None, *, as_json: bool
) -> int:
    """Why a contact is kept, waiting or deleted, or was.

    WHO is its Id, a number in any way of typing, an e-mail address, a CRM id, a name or a company.
    """
    from reconcile.cli import show
    from reconcile.report import explain as explaining

    config = _config(context)
    meant = explaining.Who.of(
        " ".join(who), region=config.crm.region, outside_prefix=config.pbx.outside_prefix
    )
    found = explaining.explain(config.path(config.report.directory), meant, run_id)
    click.echo(show.as_json(found) if as_json else show.explained(found))
    return 0


@group.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a SHELL complete our commands: put it into its start-up file."""
    from reconcile.cli.completing import script

    click.echo(script(group, shell))


@group.command()
@click.argument("before", metavar="RUN", type=int)
@click.argument("now", metavar="[RUN]", type=int, required=False)
@_FULL
@_JSON
@click.pass_context
def diff(context: click.Context, before: int, now: int | None, *, full: bool, as_json: bool) -> int:
    """What became of the contacts from one RUN to another, or to the latest."""
    from reconcile.cli import show
    from reconcile.report import diff as comparing

    config = _config(context)
    found = comparing.diff(config.path(config.report.directory), before, now)
    click.echo(show.as_json(found) if as_json else show.difference(found, full=full))
    return 0


# ---------------------------------------------------------------------------- by hand


@group.command()
@click.option("--run", "run_id", type=int, help="All contacts that this run deleted.")
@click.option("--contact", "contact_id", type=int, help="One contact, by the Id it had.")
@click.option("--dry-run", is_flag=True, help="Only show what would be restored.")
@click.option("--drill", is_flag=True, help="Delete and restore a throw-away contact of our own.")
@_JSON
@click.pass_context
def restore(
    context: click.Context,
    run_id: int | None,
    contact_id: int | None,
    *,
    dry_run: bool,
    drill: bool,
    as_json: bool,
) -> int:
    """Put deleted contacts back from their tombstones."""
    from reconcile import restoring
    from reconcile.cli import show
    from reconcile.cli.world import finishing_world

    if [run_id is not None, contact_id is not None, drill].count(True) != 1:
        raise click.UsageError("Name one of --run, --contact and --drill.")
    if drill and dry_run:
        raise click.UsageError("A drill deletes and restores a contact of its own; no --dry-run.")
    config, world = _config(context), finishing_world()
    if drill:
        practised = restoring.drill_once(config, world)
        click.echo(show.as_json(practised) if as_json else show.drill(practised))
        return int(practised.exit_code)
    done = restoring.restore_once(
        config, world, run_id=run_id, contact_id=contact_id, dry_run=dry_run
    )
    click.echo(show.as_json(done) if as_json else show.restored(done))
    return int(restoring.restored_code(done, world))


@group.command()
@click.argument("ids", nargs=-1, type=int)
@click.option("--unmanaged", is_flag=True, help="All contacts that match nothing in the CRM.")
@click.option(
    "--except", "exceptions", multiple=True, help="An Id, a tag, or @FILE with a line each."
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_context
def adopt(
    context: click.Context,
    ids: tuple[int, ...],
    exceptions: tuple[str, ...],
    *,
    unmanaged: bool,
    yes: bool,
) -> int:
    """Claim contacts that match nothing, so that a later plan may delete them."""
    from reconcile import ownership
    from reconcile.cli import show
    from reconcile.cli.world import real_world

    if bool(ids) == unmanaged:
        raise click.UsageError("Name contacts by their Id, or give --unmanaged.")

    def confirm(adoption: ownership.Adoption) -> bool:
        click.echo(show.adoption(adoption))
        return yes or click.confirm(f"Claim these {len(adoption.contacts)} contacts?", err=True)

    adoption, done = ownership.adopt_once(
        _config(context),
        real_world(),
        ids=frozenset(ids) if ids else None,
        exceptions=ownership.Exceptions.of(exceptions),
        confirm=confirm,
    )
    click.echo(show.adopted(adoption, done=done))
    return int(ownership.adopted_code(adoption, done=done))


@group.command()
@click.argument("ids", metavar="ID...", nargs=-1, type=int, required=True)
@click.pass_context
def release(context: click.Context, ids: tuple[int, ...]) -> int:
    """Give up the claims on contacts, so that no plan deletes them."""
    from reconcile import ownership
    from reconcile.cli import show
    from reconcile.cli.world import real_world

    done = ownership.release_once(_config(context), real_world(), frozenset(ids))
    click.echo(show.lines(done))
    return 0


@group.command()
@click.argument("ids", metavar="[ID]...", nargs=-1, type=int)
@click.option("--tag", "tags", multiple=True, help="Contacts with this Tag.")
@click.option("--number", "numbers", multiple=True, help="Contacts with this number.")
@click.option("--name", "names", multiple=True, help="Contacts of this person or company.")
@click.option("--why", default="", help="Kept with the protection.")
@click.option("--remove", is_flag=True, help="Take protections back.")
@_JSON
@click.pass_context
def protect(
    context: click.Context, /, *, why: str, remove: bool, as_json: bool, **named: tuple[Any, ...]
) -> int:
    """Never delete these contacts, whatever the CRM says; without any, list who is protected.

    What the configuration protects is kept here, too, until it is taken back with --remove.
    """
    from reconcile import ownership
    from reconcile.cli import show
    from reconcile.cli.world import real_world
    from reconcile.config import Protect

    config, world = _config(context), real_world()
    if not any(named.values()):
        kept = ownership.protections(config, world)
        click.echo(show.as_json(kept) if as_json else show.protections(kept))
        return 0
    wanted = Protect.typed(**named)
    if remove:
        click.echo(show.lines(ownership.unprotect_once(config, world, wanted)))
    else:
        click.echo(show.lines(ownership.protect_once(config, world, wanted, why=why)))
    return 0


@group.command()
@click.option("--until", metavar="DATE", help="2026-12-24 (to its end), or with a time.")
@click.option("--why", default="", help="Shown in the reports.")
@click.option("--lift", is_flag=True, help="End the freeze.")
@click.pass_context
def freeze(context: click.Context, *, until: str | None, why: str, lift: bool) -> int:
    """Delete nothing until a DATE, not even in a run under way; without options, say what stands.

    Plans and reports go on. A file named STOP beside the configuration does the same at once.
    """
    from reconcile import hold
    from reconcile.cli import show
    from reconcile.cli.world import real_world

    if until and lift:
        raise click.UsageError("Name one of --until and --lift.")
    config, world = _config(context), real_world()
    if until:
        click.echo(show.lines([hold.freeze_once(config, world, until=until, why=why)]))
    else:
        click.echo(
            show.lines([hold.lift_once(config, world) if lift else hold.said(config, world)])
        )
    return 0


@group.group()
def contact() -> None:
    """One contact, as JSON; the same guards and the same journal as a run."""


@contact.command("list")
@click.pass_context
def contact_list(context: click.Context) -> int:
    """Every contact of 3CX, one JSON object a line."""
    from reconcile import byhand
    from reconcile.cli import show
    from reconcile.cli.world import real_world

    for found in byhand.contacts(_config(context), real_world()):
        click.echo(show.as_json(found))
    return 0


@contact.command("get")
@click.argument("contact_id", metavar="ID", type=int)
@click.pass_context
def contact_get(context: click.Context, contact_id: int) -> int:
    """The contact with this Id."""
    from reconcile import byhand
    from reconcile.cli import show
    from reconcile.cli.world import real_world

    found = byhand.contact(_config(context), real_world(), contact_id)
    click.echo(show.as_json(found))
    return 0


@contact.command("delete")
@click.argument("contact_id", metavar="ID", type=int)
@click.option("--if-match", help="Only if this is still the contact's ETag.")
@click.pass_context
def contact_delete(context: click.Context, contact_id: int, if_match: str | None) -> int:
    """Delete the contact with this Id."""
    from reconcile import byhand
    from reconcile.cli import show
    from reconcile.cli.world import finishing_world

    answer = byhand.delete_by_hand(
        _config(context), finishing_world(), contact_id, if_match=if_match
    )
    click.echo(show.as_json(answer.outcome))
    return int(answer.exit_code)


# ---------------------------------------------------------------------------- the machine room


@group.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5001, show_default=True, help="0: a free one."
)
@click.option("--contacts", type=click.IntRange(0, 1_000_000), default=200, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--client-id", default="reconcile", show_default=True)
@click.option(
    "--client-secret",
    envvar="RECONCILE_SANDBOX_SECRET",
    default="sandbox-secret",
    show_default=True,
    show_envvar=True,
    help="It guards nothing but the sandbox.",
)
@click.option("--export", type=_FILE, help="Also write the CRM export that the contacts come from.")
@click.option(
    "--profile",
    metavar="NAME|FILE.toml",
    help="A kind of PBX: 20.0.8, 20.0.9+, ideal, or a file of switches.",
)
@click.option(
    "--with",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another behaviour; goes before the profile's. Can be given more than once.",
)
def sandbox(profile: str | None, switches: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 - passed on as they are
    """A 3CX simulator on a port, for trying a configuration."""
    from reconcile.sandbox.foreground import serve_sandbox
    from reconcile.sandbox.profiles import assembled

    return serve_sandbox(sys.stdout, switches=assembled(profile, switches), **options)


@group.group()
def db() -> None:
    """The state database."""


@db.command("upgrade")
@click.pass_context
def db_upgrade(context: click.Context) -> int:
    """Create the state, or bring it to this version's schema, with a backup first."""
    from reconcile.cli.world import real_world
    from reconcile.report import files
    from reconcile.store import migrate
    from reconcile.store.lock import RunLock

    config, now = _config(context), real_world().clock()
    url, base = config.state.url, config.base
    last_run = max(files.run_ids(config.path(config.report.directory)), default=0)
    with RunLock(url, base=base, command="db upgrade", now=now):
        click.echo(str(migrate.upgrade(url, base=base, now=now, last_run=last_run)))
    return 0


@db.command("check")
@_JSON
@click.pass_context
def db_check(context: click.Context, *, as_json: bool) -> int:
    """Check the state: integrity, schema, rights, age, unresolved intents."""
    from reconcile.cli import show
    from reconcile.store import migrate

    config = _config(context)
    marks = config.path(config.report.directory)
    result = migrate.check(config.state.url, base=config.base, marks=marks)
    click.echo(show.as_json(result) if as_json else show.state(result))
    return 0 if result.ok else int(Exit.STATE)


@db.command("backup")
@click.argument("target", type=_FILE, required=False)
@click.pass_context
def db_backup(context: click.Context, target: Path | None) -> int:
    """Copy the state, verified, to TARGET or beside it."""
    from reconcile.cli.world import real_world
    from reconcile.store import migrate

    config = _config(context)
    copy = migrate.backup(
        config.state.url, base=config.base, target=target, now=real_world().clock()
    )
    click.echo(f"The state was copied to {copy} and the copy was checked.")
    return 0


@db.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.pass_context
def db_copy(context: click.Context, source: str, target: str) -> int:
    """Copy the whole state FROM one database TO an empty one, and compare every row.

    Both are written as in state.url: sqlite:///state/reconcile.db, or
    postgresql+psycopg://user@host/database. A backup is such a file, too.
    """
    from reconcile.cli.world import real_world
    from reconcile.store import copying

    config, now = _config(context), real_world().clock()
    click.echo(str(copying.copy(source, target, base=config.base, now=now)))
    return 0


@db.command("mark")
@click.argument("given", metavar="[ID:COUNT]", required=False)
@click.pass_context
def db_mark(context: click.Context, given: str | None) -> int:
    """Print how often the state was written, as ID:COUNT; or note what another machine printed.

    So a further machine can work with a state on a server: it then notices, too, if that is put
    back from a backup.
    """
    from reconcile.store import lineage

    config = _config(context)
    url, base, reports = config.state.url, config.base, config.path(config.report.directory)
    if given is None:
        click.echo(str(lineage.own(url, base=base, marks=reports)))
    else:
        mark = lineage.Mark.of(given)
        click.echo(lineage.take(url, base=base, marks=reports, given=mark))
    return 0


@db.command("rebind")
@click.pass_context
def db_rebind(context: click.Context) -> int:
    """Go on with a state that was put back from a backup, or that came from elsewhere."""
    from reconcile.cli.world import real_world
    from reconcile.report import files
    from reconcile.store import lineage
    from reconcile.store.lock import RunLock

    config, now = _config(context), real_world().clock()
    url, base, reports = config.state.url, config.base, config.path(config.report.directory)
    with RunLock(url, base=base, command="db rebind", now=now):
        last_run = max(files.run_ids(reports), default=0)
        click.echo(str(lineage.rebind(url, base=base, marks=reports, last_run=last_run)))
    return 0


@db.command("purge")
@click.option("--contact", "contact_id", type=int, help="One person's data only.")
@click.pass_context
def db_purge(context: click.Context, contact_id: int | None) -> int:
    """Remove tombstones and runs older than state.keep_days, or one person's."""
    from reconcile import byhand
    from reconcile.cli import show
    from reconcile.cli.world import real_world

    click.echo(show.purged(byhand.purge_once(_config(context), real_world(), contact_id)))
    return 0
