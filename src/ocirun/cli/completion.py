# SPDX-License-Identifier: Apache-2.0
"""`ocirun completion SHELL`: a script that makes the shell complete our command lines.

Made from the table that parses them, so it cannot know less or more.
"""

from ocirun.cli.call import write
from ocirun.cli.commands import COMMANDS, GLOBAL, HELP, VERSION
from ocirun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call
    from ocirun.cli.flags import Flag, Flags

#: what a flag's value is -> how a shell should complete it
DIRECTORIES = frozenset(("DIR",))
FILES = frozenset(("FILE", "PATH"))
FIXED = {
    "FORMAT": "table json text",
    "LEVEL": "error warning debug",
    "WHEN": "true false auto",
    "0|1": "0 1",
}


def invoke(call: "Call") -> int:
    """Print the script for a shell."""
    name = call.arguments[0]
    if name not in SHELLS:
        raise UsageError(f"completion: unknown shell {name}", f"use {', '.join(sorted(SHELLS))}")
    write(SHELLS[name]())
    return 0


def spellings(flags: "Flags") -> list[str]:
    """Give the flags as they are typed."""
    return [_typed(name) for names, *_, text in flags if text for name in names]


def with_value(flags: "Flags") -> dict[str, str]:
    """Give the flags that take a value, as they are typed, with the word that the help has for it."""
    return {_typed(name): word for names, _, word, text in flags if word and text for name in names}


def _typed(name: str) -> str:
    return f"-{name}" if len(name) == 1 else f"--{name}"


def _every_flag() -> "list[Flag]":
    return [*GLOBAL, HELP, VERSION, *(flag for row in COMMANDS.values() for flag in row[2])]


def _by_kind() -> dict[str, list[str]]:
    """Sort the flags with a value by how they are completed."""
    kinds: dict[str, list[str]] = {}
    for flag, word in sorted(with_value(tuple(_every_flag())).items()):
        if word in DIRECTORIES:
            kind = "directories"
        elif word in FILES:
            kind = "files"
        else:
            kind = FIXED.get(word, "anything")
        kinds.setdefault(kind, []).append(flag)
    return kinds


_BASH_VALUES = {
    "directories": '_ocirun_reply "$(compgen -d -- "$word")"',
    "files": '_ocirun_reply "$(compgen -f -- "$word")"',
    "anything": ":",
}


def bash() -> str:
    """Give the script for bash."""
    values = "".join(
        f"\t{'|'.join(flags)}) "
        + _BASH_VALUES.get(kind, f'_ocirun_reply "$(compgen -W \'{kind}\' -- "$word")"')
        + "; return ;;\n"
        for kind, flags in _by_kind().items()
    )
    flags = "".join(
        f"\t{name}) flags='{' '.join(spellings(row[2]))}' ;;\n" for name, row in COMMANDS.items()
    )
    takers = "|".join(with_value((*GLOBAL,)))
    return f"""\
# bash completion for ocirun: ocirun completion bash >/etc/bash_completion.d/ocirun
_ocirun_reply() {{
	local IFS=$'\\n'
	COMPREPLY=($1)
}}
_ocirun() {{
	local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command= at flags=
	local -a global=()
	COMPREPLY=()
	for ((at = 1; at < COMP_CWORD; at++)); do
		case ${{COMP_WORDS[at]}} in
		--root) global=(--root "${{COMP_WORDS[at + 1]}}"); ((at++)) ;;
		{takers}) ((at++)) ;;
		-*) ;;
		*) command=${{COMP_WORDS[at]}}; break ;;
		esac
	done
	case $before in
{values}	esac
	case $command in
	'') flags='{" ".join(spellings((*GLOBAL, HELP, VERSION)))}' ;;
{flags}	esac
	case $word in
	-*) _ocirun_reply "$(compgen -W "$flags --help" -- "$word")" ;;
	*)
		case $command in
		'') _ocirun_reply "$(compgen -W '{" ".join(COMMANDS)}' -- "$word")" ;;
		{"|".join(_with_container())})
			_ocirun_reply "$(compgen -W "$("${{COMP_WORDS[0]}}" "${{global[@]}}" list -q 2>/dev/null)" -- "$word")" ;;
		explain) _ocirun_reply "$(compgen -d -- "$word")" ;;
		completion) _ocirun_reply "$(compgen -W '{" ".join(SHELLS)}' -- "$word")" ;;
		esac ;;
	esac
}}
complete -F _ocirun ocirun
"""


def _with_container() -> list[str]:
    """Give the commands whose first argument is a container that there is."""
    fresh = {"create", "run", "restore"}
    return [name for name, row in COMMANDS.items() if row[1].startswith("ID") and name not in fresh]


def zsh() -> str:
    """Give the script for zsh."""
    commands = "\n".join(
        f"\t\t{_quoted(f'{name}:{row[0]}')}" for name, row in sorted(COMMANDS.items())
    )
    cases = "\n".join(
        f"\t{name})\n\t\t_arguments -s \\\n{_zsh_flags((*row[2], HELP))}\t\t\t{_zsh_rest(name)} ;;"
        for name, row in sorted(COMMANDS.items())
    )
    return f"""\
#compdef ocirun
# zsh completion for ocirun: ocirun completion zsh >"${{fpath[1]}}/_ocirun"
_ocirun_containers() {{
	local -a found
	found=(${{(f)"$(${{words[1]:-ocirun}} ${{opt_args[--root]:+--root}} ${{opt_args[--root]}} list -q 2>/dev/null)"}})
	compadd -a found
}}
_ocirun_commands() {{
	local -a known
	known=(
{commands}
	)
	_describe command known
}}
_ocirun() {{
	local state line
	typeset -A opt_args
	_arguments -C -s \\
{_zsh_flags((*GLOBAL, HELP, VERSION))}\t\t\t'1:command:_ocirun_commands' '*::argument:->rest'
	[[ $state = rest ]] || return
	case $words[1] in
{cases}
	esac
}}
if [[ $funcstack[1] = _ocirun ]]; then _ocirun "$@"; else compdef _ocirun ocirun; fi
"""


def _zsh_flags(flags: "Flags") -> str:
    lines = []
    for names, kind, word, text in flags:
        for name in names:
            if not text:
                continue
            action = ""
            if word:
                values = FIXED.get(word)
                action = f":{word.replace(':', ' ')}:" + (
                    "_files -/"
                    if word in DIRECTORIES
                    else "_files"
                    if word in FILES
                    else f"({values})"
                    if values
                    else ""
                )
            many = "*" if kind in {"texts", "ints"} else ""
            about = text.replace("[", "(").replace("]", ")").replace(":", "\\:")
            lines.append(f"\t\t\t{_quoted(f'{many}{_typed(name)}[{about}]{action}')} \\\n")
    return "".join(lines)


def _zsh_rest(name: str) -> str:
    if name in _with_container():
        return "'1:container:_ocirun_containers' '*:argument:'"
    if name == "explain":
        return "'1:bundle:_files -/'"
    if name == "completion":
        return f"'1:shell:({' '.join(SHELLS)})'"
    return "'*:argument:'"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def fish() -> str:
    """Give the script for fish."""
    lines = [
        "# fish completion: ocirun completion fish >~/.config/fish/completions/ocirun.fish",
        "complete -c ocirun -f",
        *_fish_flags((*GLOBAL, HELP, VERSION), ""),
    ]
    fresh = "__fish_use_subcommand"
    for name, (summary, _, flags) in sorted(COMMANDS.items()):
        lines.append(f"complete -c ocirun -n {fresh} -a {name} -d {_quoted(summary)}")
        lines += _fish_flags((*flags, HELP), f"__fish_seen_subcommand_from {name}")
    containers = " ".join(_with_container())
    lines.append(
        f"complete -c ocirun -n '__fish_seen_subcommand_from {containers}'"
        " -a '(ocirun list -q 2>/dev/null)'"
    )
    lines.append(
        "complete -c ocirun -n '__fish_seen_subcommand_from explain' -a '(__fish_complete_directories)'"
    )
    shells = " ".join(SHELLS)
    lines.append(f"complete -c ocirun -n '__fish_seen_subcommand_from completion' -a '{shells}'")
    return "\n".join(lines) + "\n"


def _fish_flags(flags: "Flags", condition: str) -> list[str]:
    lines = []
    for names, _, word, text in flags:
        if not text:
            continue
        parts = ["complete -c ocirun"]
        if condition:
            parts.append(f"-n '{condition}'")
        parts += [f"-{'s' if len(name) == 1 else 'l'} {name}" for name in names]
        if word:
            parts.append("-r" if word in FILES else "-x")
            if word in DIRECTORIES:
                parts.append("-a '(__fish_complete_directories)'")
            elif word in FILES:
                parts.append("-F")
            elif word in FIXED:
                parts.append(f"-a '{FIXED[word]}'")
        parts.append(f"-d {_quoted(text)}")
        lines.append(" ".join(parts))
    return lines


SHELLS = {"bash": bash, "fish": fish, "zsh": zsh}
