"""What no page says itself: the commands, and the pictures that the tests take."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from harmony_core.cli.parser import COMMANDS, command_parser

PICTURES = "../tests/browser/screenshots"
"""Where the browser tests keep their pictures, which git knows nothing of."""


class Screenshot(SphinxDirective):
    """A picture that the browser tests take; without it, a sentence on what it shows."""

    required_arguments = 1
    has_content = True
    option_spec = {"alt": directives.unchanged_required}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        name = f"{PICTURES}/{self.arguments[0]}.png"
        picture = Path(self.env.srcdir, name)
        self.env.note_dependency(str(picture))
        caption = self.parse_content_to_nodes()
        if not picture.exists():
            return [nodes.note("", *caption, nodes.paragraph(text=_NOT_TAKEN))]
        figure = nodes.figure("", nodes.image(uri=f"/{name}", alt=self.options["alt"]))
        figure += nodes.caption("", "", *caption[0].children)
        return [figure]


_NOT_TAKEN = "(The picture is taken by the browser tests, which have not run here.)"


class Commands(SphinxDirective):
    """Every command with its arguments, as `--help` says them."""

    def run(self) -> list[nodes.Node]:
        (commands,) = (
            action
            for action in command_parser()._actions
            if isinstance(action, argparse._SubParsersAction)
        )
        return [self._section(name, commands.choices[name]) for name in COMMANDS]

    def _section(self, name: str, parser: argparse.ArgumentParser) -> nodes.section:
        section = nodes.section(ids=[name], names=[name])
        section += nodes.title(text=name)
        section += nodes.paragraph(text=parser.description)
        for group in parser._action_groups:
            shown = [action for action in group._group_actions if action.dest != "help"]
            if shown:
                section += nodes.rubric(text=(group.title or "").capitalize())
                section += _arguments(parser, shown)
        section += nodes.literal_block(text=(parser.epilog or "").strip(), language="text")
        return section


def _arguments(
    parser: argparse.ArgumentParser, actions: list[argparse.Action]
) -> nodes.definition_list:
    """Return the arguments with their help, in argparse's own words."""
    formatter = parser._get_formatter()
    listed = nodes.definition_list()
    for action in actions:
        called = nodes.literal(text=formatter._format_action_invocation(action))
        said = nodes.definition("", nodes.paragraph(text=formatter._expand_help(action)))
        listed += nodes.definition_list_item("", nodes.term("", "", called), said)
    return listed


_FIXTURE = re.compile(r'getfixture\("(\w+)"\)')
_RENAMED = re.compile(r'>>> (\w+) = getfixture\("\1"\)$')


def _without_fixtures(*event: Any) -> None:
    """Examples of docstrings are tests; a reader sees the names of what they are given."""
    lines: list[str] = event[-1]
    lines[:] = [_FIXTURE.sub(r"\1", line) for line in lines if not _RENAMED.search(line)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    # Diagrams are drawn where the repository is read; here they are text, as there is no network.
    app.add_lexer("mermaid", TextLexer)
    app.connect("autodoc-process-docstring", _without_fixtures)
    app.add_directive("commands", Commands)
    app.add_directive("screenshot", Screenshot)
    return {"parallel_read_safe": True}
