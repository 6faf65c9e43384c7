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

    parsers = command_parsers()
    print(_fish(parsers) if args.shell == "fish" else _bash(parsers, zsh=args.shell == "zsh"))


def _options(parser: argparse.ArgumentParser) -> list[str]:
    strings = (s for action in parser._actions for s in action.option_strings)
    return sorted(s for s in strings if s.startswith("--"))


def _choices(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return the values between which an option has to choose; of an argument under no name."""
    return {
        action.option_strings[-1] if action.option_strings else "": " ".join(action.choices)
        for action in parser._actions
        if action.choices is not None
    }


def _bash(parsers: dict[str, argparse.ArgumentParser], *, zsh: bool) -> str:
    options = "\n".join(
        f'    {name}) words="{" ".join(_options(p))}" ;;' for name, p in parsers.items()
    )
    choices = "\n".join(
        f'    "{name} {option or name}") words="{values}" chosen=1 ;;'
        for name, parser in parsers.items()
        for option, values in _choices(parser).items()
    )
    # zsh understands bash's way once it is told to.
    begin = "autoload -U +X bashcompinit && bashcompinit\n" if zsh else ""
    return f"""{begin}_harmony_explorer() {{
  local words="" chosen="" current="${{COMP_WORDS[COMP_CWORD]}}"
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{" ".join(parsers)} --help --version" -- "$current"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{options}
  esac
  case "${{COMP_WORDS[1]}} ${{COMP_WORDS[COMP_CWORD-1]}}" in
{choices}
  esac
  # Without a reply the shell completes names of files, whatever characters they have.
  if [ -n "$chosen" ] || [ "${{current#-}}" != "$current" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}}
complete -o default -F _harmony_explorer {PROGRAM}"""


def _fish(parsers: dict[str, argparse.ArgumentParser]) -> str:
    lines = [f"complete -c {PROGRAM} -n __fish_use_subcommand -a '{' '.join(parsers)}'"]
    for name, parser in parsers.items():
        condition = f"'__fish_seen_subcommand_from {name}'"
        choices = _choices(parser)
        for option in _options(parser):
            values = f" -x -a '{choices[option]}'" if option in choices else ""
            lines.append(f"complete -c {PROGRAM} -n {condition} -l {option[2:]}{values}")
        if "" in choices:
            lines.append(f"complete -c {PROGRAM} -n {condition} -f -a '{choices['']}'")
    return "\n".join(lines)
