import assert from "node:assert/strict";
import fc from "fast-check";
import { shownSettings } from "../../src/api/shown_settings.ts";

Deno.test("shownSettings() hides what opens a door and shows the rest", () => {
  const settings = {
    host: { env: "lab_host", default: "lab.example.org", cast: "str" },
    port: 2575,
    password: "open sesame",
    tls_key_password: { env: "lab_key", default: "open sesame" },
    username: "engine",
    client_secret: "open sesame",
    tls_key_password_hint: "kept",
    bearer_token: null,
    headers: {
      Authorization: "Bearer open sesame",
      "X-Api-Key": "open sesame",
      Cookie: { env: "cookie", default: "open sesame" },
      "Content-Type": "application/json",
      "X-Site": { env: "site", default: "north" },
    },
    tables: { env: "not a reference", other: 1 },
  };
  assert.deepEqual(shownSettings(settings), {
    host: { env: "lab_host", default: "lab.example.org" },
    port: 2575,
    password: "***",
    tls_key_password: { env: "lab_key" },
    username: "***",
    client_secret: "***",
    tls_key_password_hint: "kept",
    bearer_token: null,
    headers: {
      Authorization: "***",
      "X-Api-Key": "***",
      Cookie: { env: "cookie" },
      "Content-Type": "application/json",
      "X-Site": { env: "site", default: "north" },
    },
    tables: { env: "not a reference", other: 1 },
  });
});

Deno.test("shownSettings() never shows a secret's value, wherever it comes from", () => {
  const keys = ["password", "token", "private_key", "basic_user", "api_key", "new_passphrase"];
  const mark = "7f3a-secret";
  const value = fc.oneof(
    fc.constant(mark),
    fc.constant({ env: "key", default: mark }),
    fc.constant([mark]),
    fc.constant({ deep: { inside: mark } }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...keys), value, (key, secret) => {
      assert.ok(!JSON.stringify(shownSettings({ [key]: secret })).includes(mark));
      const headers = { Authorization: secret, "x-auth": secret, "Set-Cookie": secret };
      assert.ok(!JSON.stringify(shownSettings({ headers })).includes(mark));
    }),
  );
});
