import { ConfigError } from "./config_error.ts";
import { COMMAND_SUMMARIES } from "./help.ts";
import type { CommandName } from "./option.ts";
import { OPTION_ROWS, type OptionRow } from "./options.ts";

/** Makes the completion script of each shell. */
const SCRIPTS = { bash, zsh, fish } as const;

/** The shells that there are scripts for. */
const SHELLS = Object.keys(SCRIPTS);

/** Values that are paths, by what stands for them in the help. */
const PATHS = new Set(["FILE", "DIR", "PATH"]);

/**
 * A script that completes commands and flags.
 *
 * @throws {ConfigError} unless it is bash, zsh or fish.
 */
export function renderCompletion(shell: string | undefined): string {
  if (shell === undefined || !Object.hasOwn(SCRIPTS, shell)) {
    const got = shell === undefined ? "no shell" : JSON.stringify(shell);
    throw new ConfigError(`completion: got ${got}, want ${SHELLS.join(", ")}`);
  }
  return SCRIPTS[shell as keyof typeof SCRIPTS]();
}

const NAMES = Object.keys(COMMAND_SUMMARIES);
/** The commands that take flags. */
const FLAGGED = NAMES.filter((name) => rowsOf(name).length > 0);

function rowsOf(command: string): readonly OptionRow[] {
  return OPTION_ROWS.filter(({ commands }) => commands.includes(command as CommandName));
}

/** The first sentence, without marks. */
function brief({ help }: OptionRow): string {
  const [sentence = ""] = /^.*?[.:](?= |$)/.exec(help) ?? [help];
  return sentence.replaceAll("`", "").replace(/[.:]$/, "");
}

/** What comes after a command in place of a flag. */
function argumentsOf(command: string): readonly string[] {
  if (command === "help") return NAMES;
  return command === "completion" ? SHELLS : [];
}

function bash(): string {
  const flags = (command: string) => rowsOf(command).map(({ flag }) => `--${flag}`);
  const paths = OPTION_ROWS.filter(({ placeholder }) => PATHS.has(placeholder));
  const cases = NAMES.map((name) =>
    `    ${name}) words="${[...argumentsOf(name), ...flags(name)].join(" ")}" ;;`
  );
  return `# Completion of eddy for bash, by \`eddy completion bash\`.
_eddy() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" words=
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "${NAMES.join(" ")}" -- "$current")
    return
  fi
  case "$previous" in
    ${paths.map(({ flag }) => `--${flag}`).join(" | ")})
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o filenames -F _eddy eddy
`;
}

function zsh(): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const flag = (row: OptionRow) => {
    const about = brief(row).replaceAll(/[[\]:\\]/g, "\\$&");
    const value = `=:${row.placeholder.replaceAll(":", "\\:")}:`;
    const files = PATHS.has(row.placeholder) ? "_files" : " ";
    return quote(`--${row.flag}${row.placeholder === "" ? "" : "="}[${about}]`) +
      (row.placeholder === "" ? "" : quote(value.slice(1) + files));
  };
  const cases = NAMES.map((name) => {
    const words = argumentsOf(name);
    const rest = words.length === 0 ? [] : [quote(`2:what:(${words.join(" ")})`)];
    const all = [...rest, ...rowsOf(name).map(flag)];
    return `    ${name})\n      _arguments ${
      all.map((each) => `\\\n        ${each}`).join(" ")
    }\n` +
      "      ;;";
  });
  const commands = Object.entries(COMMAND_SUMMARIES)
    .map(([name, summary]) => `    ${quote(`${name}:${summary}`)}`);
  return `#compdef eddy
# Completion of eddy for zsh, by \`eddy completion zsh\`.
_eddy() {
  local -a commands=(
${commands.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == _eddy ]]; then _eddy "$@"; else compdef _eddy eddy; fi
`;
}

function fish(): string {
  const quote = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const commands = Object.entries(COMMAND_SUMMARIES).map(([name, summary]) =>
    `complete -c eddy -f -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`
  );
  const flags = FLAGGED.flatMap((name) =>
    rowsOf(name).map((row) => {
      const needs = row.placeholder === "" ? "" : PATHS.has(row.placeholder) ? " -rF" : " -x";
      return `complete -c eddy -n '__fish_seen_subcommand_from ${name}' -l ${row.flag}${needs} ` +
        `-d ${quote(brief(row))}`;
    })
  );
  const words = ["help", "completion"].map((name) =>
    `complete -c eddy -f -n '__fish_seen_subcommand_from ${name}' -a ${
      quote(argumentsOf(name).join(" "))
    }`
  );
  return ["# Completion of eddy for fish, by `eddy completion fish`.", "complete -c eddy -f"]
    .concat(commands, flags, words).join("\n") + "\n";
}
