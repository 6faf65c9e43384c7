"""``harmony-explorer completion``: the Tab key in a shell."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harmony_core.version import PROGRAM

EXAMPLES = """\
examples:
  eval "$(harmony-explorer completion bash)"     in ~/.bashrc
  eval "$(harmony-explorer completion zsh)"      in ~/.zshrc
  harmony-explorer completion fish > ~/.config/fish/completions/harmony-explorer.fish
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    import shtab

    _complete_paths(args.parser)
    script = shtab.complete(args.parser, args.shell, root_prefix=PROGRAM)
    if args.shell == "zsh":
        # Of several input files shtab has zsh complete the first only.
        script = script.replace('"(*):', '"*:')
    print(script)
    if args.shell == "bash":
        # Where nothing else fits, bash itself completes names of files, whatever characters they
        # have; shtab's own completion of files takes a name with a space for two.
        print(f"complete -o default -F _shtab_{PROGRAM.replace('-', '_')} {PROGRAM}")


def _complete_paths(parser: argparse.ArgumentParser) -> None:
    """Mark the arguments that are names of files or folders, for the shells that have to know."""
    import shtab

    for action in parser._actions:
        if isinstance(action.choices, dict):
            for command in action.choices.values():
                _complete_paths(command)
        elif action.type is Path:
            of_folder = action.metavar in ("DIR", "FOLDER")
            patterns: dict[str, Any] = shtab.DIRECTORY if of_folder else shtab.FILE
            names = {shell: patterns[shell] for shell in ("zsh", "fish")}
            setattr(action, "complete", names)  # noqa: B010 - where shtab looks for it
