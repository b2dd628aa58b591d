import { CHANGES, option, unset } from "./option.ts";
import { boolean, oneOf, path } from "./types.ts";

/** What single commands take. */
export const COMMAND_OPTIONS = {
  dryRun: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help: "Print what would change, and change nothing.",
    commands: CHANGES,
  }),
  containerdConfig: unset({
    type: path(),
    defaultText: "detected, else /etc/containerd/config.toml",
    placeholder: "FILE",
    help: "containerd's configuration file, checked for settings that bypass Eddy.",
    commands: ["doctor"],
  }),
  json: option({
    type: boolean(),
    default: "false",
    placeholder: "",
    help: "Print the result as JSON.",
    commands: ["doctor"],
  }),
  format: option({
    type: oneOf("text", "json"),
    default: "text",
    placeholder: "FORMAT",
    help: "Form of the output: `text` or `json`.",
    commands: ["version"],
  }),
};
