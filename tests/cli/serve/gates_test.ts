import assert from "node:assert/strict";
import { askGates, type GateFinding, gates } from "../../../src/cli/serve/gates.ts";
import { loadSettings } from "../../../src/settings/mod.ts";
import { root } from "../program.ts";

const key = new Uint8Array(32).fill(1).toBase64();

function find(text: string, allowInsecureBind = false, env = {}): readonly GateFinding[] {
  const { settings } = loadSettings({ file: { path: "messagefoundry.toml", text }, env });
  return askGates({ settings, allowInsecureBind });
}

function ask(text: string, allowInsecureBind = false, env = {}): string[] {
  return find(text, allowInsecureBind, env).map(({ gate, action }) => `${gate} ${action}`);
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
  assert.deepEqual(ask(""), ["4 refuse"]);
  assert.deepEqual(ask('[ai]\nenvironment = "ward"\n'), ["5 refuse"]);
  assert.deepEqual(ask('[ai]\nenvironment = "ward"\ndata_class = "phi"\n'), ["5 refuse"]);
  const whole = '[ai]\nenvironment = "ward"\ndata_class = "synthetic"\nproduction = false\n';
  assert.deepEqual(ask(whole), []);
});

// Goal: nobody reaches an API without sign-in over the network, whatever else is set.
Deno.test("the API off loopback is refused without sign-in; no flag relaxes it", () => {
  const open = `${dev}[api]\nhost = "0.0.0.0"\n`;
  const off = "[auth]\nenabled = false\n";
  assert.equal(ask(open + off)[0], "2 refuse");
  assert.equal(ask(open + off, true)[0], "2 refuse");
  // With sign-in it takes TLS in front, or somebody who says that it does without.
  assert.deepEqual(ask(open), ["10 refuse"]);
  assert.deepEqual(ask(open, true), ["10 warn"]);
  const proxied = 'tls_terminated_upstream = true\ntrusted_proxies = ["10.0.0.1"]\n';
  assert.deepEqual(ask(open + proxied), ["10 info"]);
});

Deno.test("a store on either server is taken, alone and in a cluster", () => {
  const server = 'server = "db"\ndatabase = "mf"\nusername = "mf"\n';
  const cluster = "[cluster]\nenabled = true\n";
  for (const backend of ["sqlserver", "postgres"]) {
    const store = `${dev}[store]\nbackend = "${backend}"\n${server}`;
    assert.deepEqual(ask(store), []);
    assert.deepEqual(ask(store + cluster), []);
  }
});

Deno.test("messages in the clear to a database over the network warn, on loopback they may", () => {
  const store = (host: string, more: string) =>
    ask(`${dev}[store]\nbackend = "postgres"\nserver = "${host}"\ndatabase = "mf"\n${more}`);
  assert.deepEqual(store("db.example.org", ""), []);
  assert.deepEqual(store("db.example.org", "encrypt = false\n"), ["3 warn"]);
  assert.deepEqual(store("db.example.org", "trust_server_certificate = true\n"), ["3 warn"]);
  assert.deepEqual(store("127.0.0.1", "encrypt = false\n"), []);
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

interface Row {
  readonly gate: string;
  readonly action: GateFinding["action"];
  readonly sentence: RegExp;
  /** Sections with what they set; `[ai]` is a dev instance unless it says more. */
  readonly when: Readonly<Record<string, string>>;
  readonly flag?: boolean;
  /** The same, with one thing put right: the gate is silent. */
  readonly unless: Readonly<Record<string, string>>;
}

const open = 'host = "0.0.0.0"';
const proxied = 'tls_terminated_upstream = true\ntrusted_proxies = ["10.0.0.1"]';
const certified = 'tls_cert_file = "/etc/mf.pem"';
const origin = 'public_origin = "https://engine.example.org"';
const api = (...lines: readonly string[]) => ({ api: lines.join("\n") });
const inProd = { ai: 'environment = "prod"' };
const inStaging = { ai: 'environment = "staging"' };
const serverStore = 'server = "db"\ndatabase = "mf"\nusername = "mf"';
const directory =
  'ad_enabled = true\nad_server = "ldaps://dc"\nad_user_search_base = "dc=example"\n' +
  'ad_bind_dn = "cn=engine"';

const directoryPassword = { MEFOR_AUTH_AD_BIND_PASSWORD: "word" };

// Goal: the table of the specification, row by row: what trips each gate, and what stills it.
const rows: readonly Row[] = [
  {
    gate: "2",
    action: "refuse",
    sentence: /with \[auth\] enabled = false$/,
    when: { ...api(open), auth: "enabled = false" },
    flag: true,
    unless: { auth: "enabled = false" },
  },
  {
    gate: "2",
    action: "refuse",
    sentence: /with \[auth\] enabled = false$/,
    when: { ...api(open, proxied), auth: "enabled = false" },
    flag: true,
    unless: api(open, proxied),
  },
  {
    gate: "2",
    action: "refuse",
    sentence: /behind a proxy with \[auth\] enabled = false/,
    when: { ...api('trusted_proxies = ["10.0.0.1"]'), auth: "enabled = false" },
    flag: true,
    unless: api(proxied),
  },
  {
    gate: "3",
    action: "warn",
    sentence: /^Messages cross the network to "db" in the clear/,
    when: { store: `backend = "postgres"\nencrypt = false\n${serverStore}` },
    unless: { store: `backend = "postgres"\n${serverStore}` },
  },
  {
    gate: "3",
    action: "warn",
    sentence: /^Whoever answers as "db" gets the messages/,
    when: { store: `backend = "postgres"\ntrust_server_certificate = true\n${serverStore}` },
    unless: { store: `backend = "postgres"\n${serverStore}` },
  },
  {
    gate: "4",
    action: "refuse",
    sentence: /^Name the active environment/,
    when: { ai: "" },
    unless: {},
  },
  {
    gate: "5",
    action: "refuse",
    sentence: /"ward" is not a built-in name, so \[ai\] must set data_class and production$/,
    when: { ai: 'environment = "ward"' },
    unless: { ai: 'environment = "ward"\ndata_class = "synthetic"\nproduction = false' },
  },
  {
    gate: "8",
    action: "warn",
    sentence: /no \[egress\] list is set$/,
    when: inStaging,
    unless: { ...inStaging, egress: 'allowed_file_dirs = ["/srv"]' },
  },
  {
    gate: "10",
    action: "info",
    sentence: /"0\.0\.0\.0" is served over TLS$/,
    when: api(open, certified),
    unless: api(certified),
  },
  {
    gate: "10",
    action: "info",
    sentence: /relies on the proxy in front of it for TLS$/,
    when: api(open, proxied),
    unless: api(proxied),
  },
  {
    gate: "10",
    action: "warn",
    sentence: /serves patient data and tokens in the clear$/,
    when: api(open),
    flag: true,
    unless: api(open, certified),
  },
  {
    gate: "10",
    action: "refuse",
    sentence: /on "0\.0\.0\.0" without TLS$/,
    when: api(open),
    unless: api(open, proxied),
  },
  {
    gate: "11",
    action: "refuse",
    sentence: /the console on "0\.0\.0\.0" without TLS$/,
    when: api(open, "serve_ui = true"),
    flag: true,
    unless: api(open, "serve_ui = true", certified),
  },
  {
    gate: "12",
    action: "refuse",
    sentence: /nothing says under which origin/,
    when: api(proxied, "serve_ui = true"),
    unless: api(proxied, "serve_ui = true", origin),
  },
  {
    gate: "12",
    action: "refuse",
    sentence: /public_origin says http$/,
    when: api(certified, "serve_ui = true", 'public_origin = "http://engine.example.org"'),
    unless: api(certified, "serve_ui = true", origin),
  },
  {
    gate: "13",
    action: "warn",
    sentence: /nothing serves TLS for it$/,
    when: api("serve_ui = true", origin),
    unless: api("serve_ui = true"),
  },
  {
    gate: "13",
    action: "warn",
    sentence: /has no \[api\] public_origin/,
    when: api(open, certified, "serve_ui = true"),
    unless: api(open, certified, "serve_ui = true", origin),
  },
  {
    gate: "14",
    action: "info",
    sentence: /^The console can be reached from other machines$/,
    when: api(proxied, "serve_ui = true", origin),
    unless: api("serve_ui = true"),
  },
  {
    gate: "14",
    action: "warn",
    sentence: /admin_new_ip_step_up is off$/,
    when: { ...inStaging, ...api(proxied, "serve_ui = true", origin) },
    unless: {
      ...inStaging,
      ...api(proxied, "serve_ui = true", origin),
      auth: "admin_new_ip_step_up = true",
    },
  },
  {
    gate: "15",
    action: "refuse",
    sentence: /require_mfa is off$/,
    when: { ...inProd, ...api(open, certified) },
    flag: true,
    unless: { ...inProd, ...api(open, certified), auth: "require_mfa = true" },
  },
  {
    gate: "15",
    action: "refuse",
    sentence: /require_mfa is off$/,
    when: { ...inProd, ...api(proxied, "serve_ui = true", origin) },
    unless: { ...inProd, ...api(proxied) },
  },
  {
    gate: "15",
    action: "warn",
    sentence: /require_mfa is off$/,
    when: { ...inStaging, ...api(open, certified) },
    unless: api(open, certified),
  },
  {
    gate: "19",
    action: "refuse",
    sentence: /key_provider "vault": it is not built$/,
    when: { store: 'key_provider = "vault"' },
    unless: { store: 'key_provider = "env"' },
  },
  {
    gate: "19",
    action: "refuse",
    sentence: /has no Windows sign-on$/,
    when: { auth: `${directory}\nkerberos_enabled = true` },
    unless: { auth: directory },
  },
];

function textOf(sections: Readonly<Record<string, string>>): string {
  return Object.entries({ ai: 'environment = "dev"', ...sections })
    .map(([name, lines]) => `[${name}]\n${lines}\n`).join("");
}

for (const { gate, action, sentence, when, flag, unless } of rows) {
  Deno.test(`gate ${gate}: ${action} ${sentence.source}`, () => {
    const matching = (sections: Row["when"]) =>
      find(textOf(sections), flag, directoryPassword).filter(({ message }) =>
        sentence.test(message)
      );
    const [found, ...more] = matching(when);
    assert.deepEqual([found?.gate, found?.action, more], [gate, action, []]);
    if (action === "refuse" && gate !== "5") assert.ok(found?.hint, "a refusal says what to do");
    assert.deepEqual(matching(unless), []);
  });
}

Deno.test("docs/reference/gates.md lists every gate in its order", async () => {
  const text = await Deno.readTextFile(`${root}/docs/reference/gates.md`);
  const listed = [...text.matchAll(/^\| (\d+) \| .+ \| (?:info|warn|refuse)/gm)]
    .map(([, number]) => number!);
  const elsewhere = ["1", "16", "17", "18", "20", "21"];
  const asked = listed.filter((number) => !elsewhere.includes(number));
  assert.deepEqual([...new Set(asked)], [...new Set(gates.map(([number]) => number))]);
  assert.deepEqual(listed, listed.toSorted((a, b) => Number(a) - Number(b)));
  for (const number of elsewhere) assert.ok(listed.includes(number), number);
});
