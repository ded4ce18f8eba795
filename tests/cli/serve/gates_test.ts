import assert from "node:assert/strict";
import { askGates } from "../../../src/cli/serve/gates.ts";
import { loadSettings } from "../../../src/settings/mod.ts";

const key = new Uint8Array(32).fill(1).toBase64();

function ask(text: string, allowInsecureBind = false, env = {}): string[] {
  const { settings } = loadSettings({ file: { path: "messagefoundry.toml", text }, env });
  return askGates({ settings, allowInsecureBind }).map(({ gate, action }) => `${gate} ${action}`);
}

const dev = '[ai]\nenvironment = "dev"\n';
const prod = '[ai]\nenvironment = "prod"\n';
const pinned = '[egress]\nallowed_mllp = ["ehr.example.org"]\n';

Deno.test("a plain dev instance on loopback passes every gate in silence", () => {
  assert.deepEqual(ask(dev), []);
  for (const host of ["localhost", "::1", "127.0.0.1"]) {
    assert.deepEqual(ask(`${dev}[api]\nhost = "${host}"\n`), []);
  }
});

Deno.test("no environment, or a name of one's own without a posture, is refused", () => {
  assert.deepEqual(ask(""), ["4-5 refuse"]);
  assert.deepEqual(ask('[ai]\nenvironment = "ward"\n'), ["4-5 refuse"]);
  assert.deepEqual(ask('[ai]\nenvironment = "ward"\ndata_class = "phi"\n'), ["4-5 refuse"]);
  const whole = '[ai]\nenvironment = "ward"\ndata_class = "synthetic"\nproduction = false\n';
  assert.deepEqual(ask(whole), []);
});

// Goal: nobody reaches an API without sign-in over the network, whatever else is set.
Deno.test("the API off loopback is refused while there is no sign-in; no flag relaxes it", () => {
  const open = `${dev}[api]\nhost = "0.0.0.0"\n`;
  for (const auth of ["", "[auth]\nenabled = false\n"]) {
    assert.equal(ask(open + auth)[0], "2 refuse");
    assert.equal(ask(open + auth, true)[0], "2 refuse");
  }
});

Deno.test("what this version cannot do is refused, never ignored", () => {
  const server = 'server = "db"\ndatabase = "mf"\nusername = "mf"\n';
  assert.deepEqual(ask(`${dev}[store]\nbackend = "sqlserver"\n${server}`), ["3 refuse"]);
  assert.deepEqual(ask(`${dev}[store]\nbackend = "postgres"\n${server}`), ["3 refuse"]);
  assert.deepEqual(ask(`${dev}[api]\ntls_cert_file = "/etc/mf.pem"\n`), ["10 refuse"]);
});

Deno.test("patient data without key or with open egress warns, and is not refused", () => {
  assert.deepEqual(ask(prod), ["7 warn", "8 warn"]);
  assert.deepEqual(ask(prod + pinned), ["7 warn"]);
  assert.deepEqual(ask(`${prod}[egress]\ndeny_by_default = true\n`), ["7 warn"]);
});

const sealed = { MEFOR_STORE_ENCRYPTION_KEY: key };

Deno.test("patient data in a store with a key passes in silence", () => {
  assert.deepEqual(ask(prod + pinned, false, sealed), []);
  assert.deepEqual(ask(`${prod}${pinned}[store]\nkey_provider = "env"\n`, false, sealed), []);
});

Deno.test("require_encryption refuses a store without a key in every environment", () => {
  const required = "[store]\nrequire_encryption = true\n";
  assert.deepEqual(ask(dev + required), ["6 refuse"]);
  assert.deepEqual(ask(prod + pinned + required), ["6 refuse", "7 warn"]);
  assert.deepEqual(ask(dev + required, false, { MEFOR_STORE_ENCRYPTION_KEY: "" }), ["6 refuse"]);
  assert.deepEqual(ask(dev + required, false, sealed), []);
  assert.deepEqual(ask(prod + pinned + required, false, sealed), []);
});

// Goal: a provider that is not built fails closed: a key in the variables is not used instead.
Deno.test("a key provider that is not built is refused, with a key in the variables too", () => {
  for (const provider of ["dpapi", "aws_kms", "azure_kv", "gcp_kms", "vault", "pkcs11"]) {
    const text = `${prod}${pinned}[store]\nkey_provider = "${provider}"\n`;
    assert.deepEqual(ask(text), ["7 warn", "19 refuse"], provider);
    assert.deepEqual(ask(text, false, sealed), ["7 warn", "19 refuse"], provider);
  }
  assert.throws(() => ask(`${dev}[store]\nkey_provider = "magic"\n`), /key_provider wants/);
});

Deno.test("production is never logged at debug; dev may be", () => {
  assert.deepEqual(ask(`${prod}${pinned}[logging]\nlevel = "debug"\n`), ["7 warn", "9 refuse"]);
  assert.deepEqual(ask(`${dev}[logging]\nlevel = "debug"\n`), []);
});
