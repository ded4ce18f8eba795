/**
 * What the operator decides: one declaration a key, and everything else derived from it.
 *
 * Upstream: the command line, `MEFOR_*` variables and `messagefoundry.toml`, handed in as data.
 * Downstream: every room gets its own frozen section.
 * Not here: reading files or the environment, the graph's own values (`graph/`), and gates that
 * need to know the graph or the machine (`engine.ts`).
 */
export { deniedNet, isDeniedAddress } from "./denied_addresses.ts";
export { type AiPolicy, aiPolicy } from "./ai_policy.ts";
export * from "./catalogue.ts";
export { alertTransports } from "./alert_checks.ts";
export { checks } from "./checks.ts";
export type { Check, Finding } from "./finding.ts";
export { isTable, numberFrom } from "./coerce.ts";
export { type KeySpec, propertyName, type SectionSpec, variableName } from "./declaration.ts";
export { type DirectoryAddress, directoryAddress } from "./directory_address.ts";
export {
  canonicalHost,
  hostAndPort,
  type HostEntry,
  isListedHost,
  isOneHost,
  parseHostEntry,
  plainHost,
} from "./hosts.ts";
export { storePort } from "./store.ts";
export {
  type LoadedSettings,
  loadSettings,
  type SettingsInput,
  type SettingSource,
} from "./load.ts";
export { mailAddress } from "./mail_address.ts";
export { nearest } from "./nearest.ts";
export { type Posture, postureOf } from "./posture.ts";
export { Secret } from "./secret.ts";
export { problemText, SettingsError, type SettingsProblem } from "./settings_error.ts";
export {
  type SettingRow,
  settingRows,
  settingsReference,
  settingsSummary,
  settingText,
} from "./summary.ts";
export { type TomlLines, tomlLines, type TomlPath } from "./toml_lines.ts";
