/**
 * The one mapping between the keys authors write and the keys of TOML, API, CLI and logs.
 *
 * Words are camel words: `tlsCaFile` and `tls_ca_file`, `hl7Version` and `hl7_version`.
 */

/** `sourceIpAllowlist` becomes `source_ip_allowlist`. */
export function toSnakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());
}

/** `source_ip_allowlist` becomes `sourceIpAllowlist`. */
export function toCamelCase(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The type of `toCamelCase()`. */
export type CamelCase<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Key;
