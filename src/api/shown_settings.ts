/**
 * A connection's settings fit to be shown: references as references, nothing that opens a door.
 * Source: spec api §1.3.
 */

type Values = Readonly<Record<string, unknown>>;

const SECRET_KEYS: ReadonlySet<string> = new Set([
  "password",
  "username",
  "bearer_token",
  "basic_password",
  "basic_user",
  "key_password",
  "tls_key_password",
  "private_key",
  "api_key",
  "token",
  "smart_private_key",
  "smart_private_key_password",
]);

/** Names a later transport may use before anybody thinks of the list above. */
const SECRET_ENDING = /(^|_)(password|passphrase|secret|token|api_key|private_key)$/;

const CREDENTIAL_HEADER =
  /^(authorization|proxy-authorization|cookie|set-cookie)$|(^|-)(key|token|secret|auth|password)$/i;

export function shownSettings(settings: Values): Values {
  const shown: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(settings)) {
    const isSecret = SECRET_KEYS.has(key) || SECRET_ENDING.test(key);
    if (isReference(value)) shown[key] = shownReference(value, isSecret);
    else if (isSecret && value !== null && value !== undefined) shown[key] = "***";
    else shown[key] = key === "headers" && isTable(value) ? shownHeaders(value) : value;
  }
  return shown;
}

function shownHeaders(headers: Values): Values {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const isSecret = CREDENTIAL_HEADER.test(name);
      if (isReference(value)) return [name, shownReference(value, isSecret)];
      return [name, isSecret ? "***" : value];
    }),
  );
}

function shownReference(reference: Values, isSecret: boolean): Values {
  const hasDefault = reference.default !== undefined && !isSecret;
  return hasDefault ? { env: reference.env, default: reference.default } : { env: reference.env };
}

function isReference(value: unknown): value is Values {
  return isTable(value) && typeof value.env === "string" &&
    Object.keys(value).every((key) => ["env", "default", "cast", "kind"].includes(key));
}

function isTable(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
