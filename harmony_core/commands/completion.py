"""``harmony-explorer completion``: the Tab key in a shell."""

from __future__ import annotations

import argparse

EXAMPLES = """\
examples:
  eval "$(harmony-explorer completion bash)"     in ~/.bashrc
  eval "$(harmony-explorer completion zsh)"      in ~/.zshrc
  harmony-explorer completion fish > ~/.config/fish/completions/harmony-explorer.fish
"""

PROGRAM = "harmony-explorer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    from harmony_core.cli import command_parsers

    options = {
        name: sorted(
            option
            for action in parser._actions
            for option in action.option_strings
            if option.startswith("--")
        )
        for name, parser in command_parsers().items()
    }
    print(_fish(options) if args.shell == "fish" else _bash(options, zsh=args.shell == "zsh"))


def _bash(options: dict[str, list[str]], *, zsh: bool) -> str:
    cases = "\n".join(f'    {name}) words="{" ".join(o)}" ;;' for name, o in options.items())
    # zsh understands bash's way once it is told to.
    begin = "autoload -U +X bashcompinit && bashcompinit\n" if zsh else ""
    return f"""{begin}_harmony_explorer() {{
  local words="" current="${{COMP_WORDS[COMP_CWORD]}}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{" ".join(options)} --help --version" -- "$current"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}}
complete -o filenames -F _harmony_explorer {PROGRAM}"""


def _fish(options: dict[str, list[str]]) -> str:
    lines = [f"complete -c {PROGRAM} -n __fish_use_subcommand -a '{' '.join(options)}'"]
    for name, own in options.items():
        condition = f"'__fish_seen_subcommand_from {name}'"
        lines += [f"complete -c {PROGRAM} -n {condition} -l {option[2:]}" for option in own]
    return "\n".join(lines)
