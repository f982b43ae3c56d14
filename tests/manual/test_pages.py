"""What all pages of the manual have in common: their commands exist, and so do their links."""

from __future__ import annotations

import ast
import re
import shlex
from contextlib import suppress
from pathlib import Path

import click
import pytest
from manual.pages import PAGES, ROOT, blocks, steps

from reconcile.cli.commands import group
from reconcile.crm.looks import MARKS

STANDS_FOR = {
    **dict.fromkeys(("ID", "ID…", "RUN", "N"), "1"),
    "DIGEST": "2ffa0c81b3d4",
    "DATE": "2026-12-24",
}
SHELL = {"console", "sh", ""}


def ours(lines: list[str]) -> list[str]:
    """Our commands in lines of the shell, without what it does with them."""
    parts = [part.strip() for line in lines for part in re.split(r"&&|[|>]", line)]
    return [part for part in parts if part.startswith("reconcile ")]


def in_blocks(text: str) -> list[str]:
    return ours([s.command for name, block in blocks(text) if name in SHELL for s in steps(block)])


def in_sentences(text: str) -> list[str]:
    """Those in running text, but for those with `[…]`, which may be left out."""
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"`(reconcile [^`]+)`", rest)
    return ours([line for line in found if not re.search(r"[\[|]| …", line)])


def parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """Let click take the words as if they were typed; raises ClickException, and runs nothing."""
    if not isinstance(command, click.Group):
        command.make_context(command.name, words, parent=parent)
        return
    context = click.Context(command, info_name=command.name, parent=parent)
    given, rest, _ = command.make_parser(context).parse_args(words)
    if not (given.get("version") and not rest):
        _, child, rest = command.resolve_command(context, rest)
        parse(child, rest, context)


TYPED = sorted({(page, line) for page, text in PAGES.items() for line in in_blocks(text)})
NAMED = sorted({(page, line) for page, text in PAGES.items() for line in in_sentences(text)})


def words(line: str) -> list[str]:
    return [STANDS_FOR.get(word, word) for word in shlex.split(line, comments=True)][1:]


@pytest.mark.parametrize(("_page", "line"), TYPED)
def test_every_command_of_the_manual_can_be_typed(_page, line):
    parse(group, words(line))


@pytest.mark.parametrize(("_page", "line"), NAMED)
def test_every_command_that_a_sentence_names_exists(_page, line):
    """What it works on may be left out: `reconcile apply`."""
    with suppress(click.MissingParameter):
        parse(group, words(line))


def test_commands_are_found_on_every_page_of_whoever_looks_after_it():
    pages = {Path(page).stem for page, _ in TYPED}
    assert pages >= {"README", "approving", "crms", "exit-codes", "first-night", "pbx"}
    assert pages >= {"questions", "undoing", "reports", "notifications"}
    assert len(TYPED) + len(NAMED) > 150


@pytest.mark.parametrize("line", ["plan --nwo", "aply 2ffa0c81b3d4", "restore --run x", "db chek"])
def test_a_command_that_does_not_exist_is_noticed(line):
    with pytest.raises(click.ClickException):
        parse(group, line.split())


# ---------------------------------------------------------------------------- finding one's way


def anchors(text: str) -> set[str]:
    """The headings of a page as links name them."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_heading_finds_it(page):
    folder = (ROOT / page).parent
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)]+)\)", PAGES[page]):
        where = str((folder / target).resolve().relative_to(ROOT)) if target else page
        assert anchor in anchors(PAGES[where]), f"{target}#{anchor}"


def test_the_index_leads_to_every_page_once():
    pages = sorted(Path(p).name for p in PAGES if p not in ("README.md", "docs/README.md"))
    linked = re.findall(r"^\d+\. \[[^]]+\]\(([^)]+)\)", PAGES["docs/README.md"], re.MULTILINE)
    assert sorted(linked) == pages
    assert "(docs/README.md)" in PAGES["README.md"]


# ---------------------------------------------------------------------------- nothing left out


@pytest.mark.parametrize("name", sorted({name.split(" (")[0] for name in MARKS}))
def test_every_crm_that_is_recognised_has_its_section(name):
    titles = re.findall(r"^## (.+)$", PAGES["docs/crms.md"], re.MULTILINE)
    said = name.removeprefix("a phonebook of ")
    assert any(said in title for title in titles)


def test_every_finding_that_can_be_approved_says_what_to_ask_before():
    rows = re.findall(r"^\| (`[^|]+) \| approve \|", PAGES["docs/verdicts.md"], re.MULTILINE)
    codes = [code for row in rows for code in re.findall(r"`(\w+)`", row)]
    assert len(codes) > 12
    table = PAGES["docs/approving.md"].split("## What the guards ask")[1]
    assert [code for code in codes if f"`{code}`" not in table] == []


def sentences() -> set[str]:
    """Every text of the program; what is filled in stands as `…`."""
    found = set()
    for path in (ROOT / "reconcile").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
                found.add("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_what_the_page_on_3cx_quotes_is_what_the_program_says():
    table = PAGES["docs/pbx.md"].split("### What you may see")[1].split("\n## ")[0]
    quoted = re.findall(r'^\| "([^"]+)"', table, re.MULTILINE)
    assert len(quoted) > 5
    said = sentences()
    for quote in quoted:
        pattern = ".*".join(re.escape(piece.strip()) for piece in quote.split("…"))
        assert any(re.search(pattern, text, re.DOTALL) for text in said), quote
