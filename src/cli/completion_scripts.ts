/** Completion scripts made from the declarations of the commands. Pure. */

export interface CommandWords {
  readonly name: string;
  readonly description: string;
  /** What may be the first word behind it; empty: a file, perhaps. */
  readonly acts: readonly string[];
  readonly options: readonly {
    readonly flag: string;
    readonly description: string;
    readonly takesValue: boolean;
  }[];
}

/** By shell: the commands in, a script out. Values complete as files, which most of them are. */
export const completionScripts = { bash, zsh, fish } as const;

function bash(commands: readonly CommandWords[]): string {
  const cases = commands.map(({ name, options, acts }) => {
    const flags = options.map(({ flag }) => flag).join(" ");
    return `    ${name}) words="${flags} --help" acts="${acts.join(" ")}" ;;`;
  });
  return `# bash completion of messagefoundry; source it from ~/.bashrc
_messagefoundry() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words acts
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(" ")} --help --version"
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    *) words="" acts="" ;;
  esac
  if [ "$COMP_CWORD" -eq 2 ] && [ -n "$acts" ]; then
    COMPREPLY=($(compgen -W "$acts --help" -- "$word"))
    return
  fi
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
    *)
      # A blank is part of a file's name.
      local IFS=$'\\n'
      COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _messagefoundry messagefoundry`;
}

function zsh(commands: readonly CommandWords[]): string {
  const list = commands.map(({ name, description }) =>
    `    ${quoted(`${name}:${description.replaceAll(":", "\\:")}`)}`
  );
  const cases = commands.map(({ name, options, acts }) => {
    const specs = options.map(({ flag, description, takesValue }) =>
      quoted(`${flag}[${description.replace(/[[\]:]/g, " ")}]${takesValue ? ": :_files" : ""}`)
    );
    const act = acts.length === 0 ? [] : [quoted(`1:act:(${acts.join(" ")})`)];
    return `    ${name}) _arguments ${[...specs, ...act, "'*: :_files'"].join(" ")} ;;`;
  });
  return `#compdef messagefoundry
# zsh completion of messagefoundry; source it from ~/.zshrc behind compinit, or put it into a folder
# of fpath as _messagefoundry
_messagefoundry() {
  local -a commands
  commands=(
${list.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local chosen=$words[2]
  shift words
  (( CURRENT-- ))
  case $chosen in
${cases.join("\n")}
  esac
}
# Loaded from fpath, this file is called for a completion; sourced, it has nothing to complete yet.
if [ "$funcstack[1]" = _messagefoundry ]; then
  _messagefoundry "$@"
else
  compdef _messagefoundry messagefoundry
fi`;
}

function fish(commands: readonly CommandWords[]): string {
  const lines = ["# fish completion of messagefoundry; put it into ~/.config/fish/completions"];
  for (const { name, description, acts, options } of commands) {
    lines.push(
      `complete -c messagefoundry -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
    );
    for (const act of acts) {
      lines.push(
        `complete -c messagefoundry -n '__fish_seen_subcommand_from ${name}; ` +
          `and not __fish_seen_subcommand_from ${acts.join(" ")}' -f -a ${act}`,
      );
    }
    for (const { flag, description: text, takesValue } of options) {
      const value = takesValue ? " -r" : "";
      lines.push(
        `complete -c messagefoundry -n '__fish_seen_subcommand_from ${name}' ` +
          `-l ${flag.slice(2)}${value} -d ${quoted(text)}`,
      );
    }
  }
  return lines.join("\n");
}

/** One word for a POSIX shell; fish reads it the same. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}
