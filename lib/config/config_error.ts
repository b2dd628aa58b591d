/** Bad configuration: one line that names the option, the value and the fix. Exit code 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
