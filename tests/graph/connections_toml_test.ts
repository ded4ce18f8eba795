import assert from "node:assert/strict";
import { readConnectionsToml } from "../../src/graph/connections_toml.ts";
import { declareBundle } from "../../src/graph/mod.ts";
import { FakeSandbox, loadOptions, openBundle, registryOf, sound } from "./bench.ts";

function read(text: string) {
  return readConnectionsToml({ path: "connections.toml", bytes: new Uint8Array(), text });
}

const example = `
[[inbound]]
name = "IB_ACME_ADT"
transport = "mllp"
router = "acme_adt"
ack_mode = "enhanced"
bind_address = "10.4.0.12"
source_ip_allowlist = ["10.4.8.0/24"]

[inbound.settings]
port = { env = "acme_adt_port", cast = "int", default = 2576 }
tls = true
tls_cert_file = "/etc/mefor/adt.pem"

[inbound.metadata]
owner = "integration"

[[outbound]]
name = "OB_EPIC_ADT"
transport = "mllp"
ordering = "fifo"
internal_error = "stop"
simulate = false

[outbound.settings]
host = { env = "epic_host" }
port = { env = "epic_port", cast = "int" }
timeout_seconds = 15

[outbound.retry]
max_attempts = 20
backoff_seconds = 5

[outbound.buildup]
max_depth = 500
`;

/** Problems of the whole bundle with this file beside the sound registry. */
async function problemsOf(text: string, registry = sound) {
  await using bundle = await openBundle({ "graph/a.ts": "", "connections.toml": text });
  const { problems } = await declareBundle(loadOptions(bundle.dir, new FakeSandbox(registry)));
  return problems.map(({ file, line, message }) => [file, line, message] as const);
}

Deno.test("readConnectionsToml() reads the example of the reference", async () => {
  const { inbounds, outbounds, problems, lineOf } = read(example);
  assert.deepEqual(problems, []);
  const [inbound] = inbounds;
  assert.ok(inbound);
  assert.equal(inbound.name, "IB_ACME_ADT");
  assert.deepEqual(inbound.settings.port, { env: "acme_adt_port", cast: "int", default: 2576 });
  assert.deepEqual(inbound.options.metadata, { owner: "integration" });
  assert.deepEqual(inbound.position, { file: "connections.toml", line: 2 });
  assert.equal(lineOf(inbound, "port"), 11);
  assert.equal(lineOf(inbound, "ack_mode"), 6);
  assert.deepEqual(outbounds[0]?.options.retry, { max_attempts: 20, backoff_seconds: 5 });
  const registry = registryOf({
    routers: [{ name: "acme_adt", position: undefined, mentions: [] }],
  });
  assert.deepEqual(await problemsOf(example, registry), []);
});

const shape: readonly (readonly [string, string, number, RegExp])[] = [
  ["an unknown top-level key", "[[inbuond]]\nname = 'x'\n", 1, /is "inbound" meant/],
  ["a table instead of an array", "[inbound]\nname = 'x'\n", 1, /\[\[inbound\]\]/],
  ["a missing name", "[[outbound]]\ntransport = 'mllp'\n", 1, /needs a name/],
  ["a missing transport", "\n[[outbound]]\nname = 'OB'\n", 2, /"OB" needs a transport/],
  ["a missing router", "[[inbound]]\nname = 'IB'\ntransport = 'mllp'\n", 1, /"IB" needs a router/],
  [
    "settings that are no table",
    "[[outbound]]\nname = 'O'\ntransport = 'mllp'\nsettings = 1\n",
    4,
    /must be a table/,
  ],
  [
    "inline",
    "[[inbound]]\nname = 'I'\ntransport = 'mllp'\nrouter = 'r'\ninline = true\n",
    5,
    /is for modules/,
  ],
  ["broken TOML", "[[inbound]]\nname = \n", 2, /not TOML/],
];
for (const [what, text, line, sentence] of shape) {
  Deno.test(`readConnectionsToml() refuses ${what}`, () => {
    const { problems } = read(text);
    assert.equal(problems.length, 1, JSON.stringify(problems));
    assert.equal(problems[0]?.line, line);
    assert.match(problems[0]?.message ?? "", sentence);
  });
}

const outbound = "[[outbound]]\nname = 'OB_T'\ntransport = 'mllp'\n";
const inbound = "[[inbound]]\nname = 'IB_T'\ntransport = 'mllp'\nrouter = 'route'\n";
const checked: readonly (readonly [string, string, number, RegExp])[] = [
  [
    "an unknown transport",
    outbound.replace("mllp", "mlpp"),
    3,
    /"mlpp" is unknown; is "mllp" meant/,
  ],
  [
    "an unknown setting",
    `${outbound}[outbound.settings]\nhost = 'a'\nport = 1\nprot = 2\n`,
    7,
    /"prot" is unknown/,
  ],
  [
    "a setting of the wrong type",
    `${outbound}[outbound.settings]\nhost = 'a'\nport = 'b'\n`,
    6,
    /"port" must be a whole number/,
  ],
  [
    "a setting of the other side",
    `${inbound}[inbound.settings]\nport = 1\nhost = 'a'\n`,
    7,
    /"host" belongs to outbound/,
  ],
  [
    "an outbound without host",
    `${outbound}[outbound.settings]\nport = 1\n`,
    1,
    /"host" is required/,
  ],
  [
    "an unknown option",
    `${outbound}orderin = 'fifo'\n[outbound.settings]\nhost = 'a'\nport = 1\n`,
    4,
    /"orderin" is unknown/,
  ],
  [
    "a bad enum",
    `${outbound}ordering = 'lifo'\n[outbound.settings]\nhost = 'a'\nport = 1\n`,
    4,
    /must be one of/,
  ],
  [
    "a bad policy",
    `${outbound}[outbound.settings]\nhost = 'a'\nport = 1\n[outbound.retry]\nmax = 1\n`,
    7,
    /"retry".*"max"/,
  ],
  [
    "strict on JSON",
    `${inbound}content_type = 'json'\nstrict = true\n[inbound.settings]\nport = 1\n`,
    6,
    /"strict" needs content type/,
  ],
  [
    "ack_mode on JSON",
    `${inbound}content_type = 'json'\nack_mode = 'original'\n[inbound.settings]\nport = 1\n`,
    6,
    /"ack_mode" needs content type/,
  ],
  [
    "ack_after delivered",
    `${inbound}ack_after = 'delivered'\n[inbound.settings]\nport = 1\n`,
    5,
    /reserved/,
  ],
  [
    "an allow list entry that is none",
    `${inbound}source_ip_allowlist = ['lab']\n[inbound.settings]\nport = 1\n`,
    5,
    /CIDR/,
  ],
  [
    "a cast that is none",
    `${inbound}[inbound.settings]\nport = { env = 'p', cast = 'hex' }\n`,
    6,
    /"cast" must be one of/,
  ],
  [
    "a reference with more in it",
    `${inbound}[inbound.settings]\nport = { env = 'p', dflt = 1 }\n`,
    6,
    /"env", "default" and "cast" only/,
  ],
  [
    "a secret in the file",
    `${inbound}[inbound.settings]\nport = 1\ntls = true\ntls_cert_file = 'c'\ntls_key_password = 'hunter2'\n`,
    9,
    /"tls_key_password" is a secret/,
  ],
  [
    "an unknown router",
    `${inbound.replace("'route'", "'rotue'")}[inbound.settings]\nport = 1\n`,
    4,
    /"rotue" is not defined; is "route" meant/,
  ],
  [
    "a name that a module took",
    `${outbound.replace("OB_T", "OB_B")}[outbound.settings]\nhost = 'a'\nport = 1\n`,
    1,
    /"OB_B" of this outbound is taken by the outbound at graph\/adt\.ts:1/,
  ],
  [
    "a name shared by both sides",
    `${outbound.replace("OB_T", "IB_A")}[outbound.settings]\nhost = 'a'\nport = 1\n`,
    1,
    /taken by the inbound/,
  ],
  [
    "a reserved name",
    `${outbound.replace("OB_T", "_x")}[outbound.settings]\nhost = 'a'\nport = 1\n`,
    1,
    /reserved/,
  ],
  [
    "a port in use",
    `${inbound}[inbound.settings]\nport = 2575\n`,
    1,
    /port 2575, as inbound "IB_A" does/,
  ],
  [
    "bind_address on a poller",
    "[[inbound]]\nname='F'\ntransport='file'\nrouter='route'\nbind_address='10.0.0.1'\n[inbound.settings]\ndirectory='in'\n",
    5,
    /transport that listens/,
  ],
  [
    "a reply to nowhere",
    `${outbound}[outbound.settings]\nhost='a'\nport=1\nreingress_to='IB_A'\n`,
    7,
    /is not a loopback/,
  ],
];
for (const [what, text, line, sentence] of checked) {
  Deno.test(`connections.toml: ${what} is refused with its line`, async () => {
    const problems = await problemsOf(text);
    assert.equal(problems.length, 1, JSON.stringify(problems));
    const [file, found, message] = problems[0] ?? [];
    assert.equal(file, "connections.toml");
    assert.equal(found, line, message);
    assert.match(message ?? "", sentence);
    assert.ok(!message?.includes("hunter2"));
  });
}
