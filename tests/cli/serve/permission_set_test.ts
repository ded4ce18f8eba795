import assert from "node:assert/strict";
import type { InboundDefinition, OutboundDefinition } from "../../../src/graph/graph.ts";
import {
  derivePermissions,
  flagsOf,
  type Grant,
  type PermissionInput,
} from "../../../src/cli/serve/permission_set.ts";
import { comparePermissions, missingText } from "../../../src/cli/serve/permission_check.ts";
import { loadSettings } from "../../../src/settings/mod.ts";
import { databaseSet } from "../../maintenance/database_set.ts";

function inbound(name: string, rest: Partial<InboundDefinition> = {}): InboundDefinition {
  return {
    name,
    type: "mllp",
    settings: { port: 2575 },
    declaredSettings: {},
    router: "route",
    contentType: "hl7v2",
    ackMode: "original",
    strict: false,
    hl7Version: undefined,
    bindAddress: undefined,
    sourceIpAllowlist: [],
    messagesDays: undefined,
    captureConnectionErrors: undefined,
    metadata: {},
    position: undefined,
    ...rest,
  };
}

function outbound(name: string, settings: Readonly<Record<string, unknown>>): OutboundDefinition {
  return {
    name,
    type: "fake",
    settings,
    declaredSettings: {},
    retry: { maxAttempts: null, backoffMs: 1, multiplier: 1, maxBackoffMs: 1 },
    ordering: "fifo",
    internalError: "continue",
    buildup: { maxDepth: null, maxOldestMs: null },
    simulate: false,
    deadLetterDays: undefined,
    captureResponse: false,
    reingressTo: undefined,
    verifyAckControlId: "lenient",
    metadata: {},
    position: undefined,
  };
}

function input(rest: Partial<PermissionInput> = {}): PermissionInput {
  const text = '[store]\npath = "/data/mf.db"\n';
  const { settings } = loadSettings({ file: { path: "messagefoundry.toml", text } });
  return {
    settings,
    paths: {
      program: "/opt/mf/src",
      serviceFile: "/etc/mf.toml",
      bundleDir: "/srv/bundle",
      environmentsDir: "/srv/values",
      egressDirs: [],
      reloadRoots: [],
      apiTlsFiles: [],
      directoryCaFile: undefined,
      storeCaFile: undefined,
      breachListFile: undefined,
      missingStoreDir: undefined,
    },
    realPathOf: (path) => path,
    reachOf: (_type, _direction, { host, port, path }) =>
      typeof path === "string"
        ? [{ kind: "path", path, write: true }]
        : typeof host === "string"
        ? [{ kind: "net", host, port: Number(port) }]
        : [],
    listenOf: ({ bindAddress, settings: { port } }) => ({
      host: bindAddress ?? "127.0.0.1",
      port: Number(port),
    }),
    ...rest,
  };
}

function values(grants: readonly Grant[], kind: Grant["kind"], action = "allow"): string[] {
  return grants.filter((grant) => grant.kind === kind && grant.action === action)
    .map(({ value }) => value);
}

const graph = {
  inbounds: new Map([
    ["IB_A", inbound("IB_A")],
    ["IB_B", inbound("IB_B", { bindAddress: "::1", settings: { port: 2576 } })],
  ]),
  outbounds: new Map([
    ["OB_A", outbound("OB_A", { host: "lab.example.org", port: 6661 })],
    ["OB_B", outbound("OB_B", { host: "lab.example.org", port: 6661 })],
    ["OB_C", outbound("OB_C", { host: "[2001:db8::7]", port: 6662 })],
    ["OB_F", outbound("OB_F", { path: "/out" })],
  ]),
};

Deno.test("derivePermissions() grants exact hosts and ports, each with its reason", () => {
  const grants = derivePermissions(input({ graph }));
  assert.deepEqual(values(grants, "net"), [
    "127.0.0.1:8765",
    "127.0.0.1:2575",
    "[::1]:2576",
    "lab.example.org:6661",
    "[2001:db8::7]:6662",
  ]);
  const shared = grants.find(({ value }) => value === "lab.example.org:6661");
  assert.match(shared?.reason ?? "", /"OB_A".*; outbound "OB_B"/);
  assert.match(grants.find(({ value }) => value.includes("2576"))?.reason ?? "", /bind_address/);
  assert.ok(grants.every(({ reason }) => reason !== ""));
});

// Goal: no grant is wider than what asked for it.
Deno.test("derivePermissions() never grants a whole kind, run, ffi or sys", () => {
  const grants = derivePermissions(input({ graph }));
  assert.ok(grants.every(({ value }) => value !== ""));
  assert.deepEqual([...new Set(grants.map(({ kind }) => kind))].sort(), [
    "env",
    "net",
    "read",
    "write",
  ]);
  assert.deepEqual(values(grants, "env"), ["MEFOR_*"]);
  assert.ok(values(grants, "net", "deny").includes("169.254.0.0/16"));
});

Deno.test("derivePermissions() writes only the store's files and the connections' directories", () => {
  const written = values(derivePermissions(input({ graph })), "write");
  assert.deepEqual(written, [
    "/data/mf.db",
    "/data/mf.db-wal",
    "/data/mf.db-shm",
    "/data/mf.db-log",
    "/data/mf.db.lock",
    "/data/bootstrap-admin.txt",
    "/out",
  ]);
  const off = { path: "messagefoundry.toml", text: "[auth]\nenabled = false\n" };
  const without = input({ graph, settings: loadSettings({ file: off }).settings });
  assert.ok(!values(derivePermissions(without), "write").some((path) => /bootstrap/.test(path)));
  const paths = { ...input().paths, missingStoreDir: "/data" };
  const first = derivePermissions(input({ graph, paths }));
  assert.ok(flagsOf(first).includes("--allow-write=/data,/out"), "the folder must be made first");
});

Deno.test("derivePermissions() grants the collector of the log, and a datagram its own end", () => {
  const collector = (settings: string) => {
    const text = `[store]\npath = "/data/mf.db"\n[logging]\n${settings}`;
    const file = { path: "messagefoundry.toml", text };
    return derivePermissions(input({ settings: loadSettings({ file }).settings }))
      .filter(({ reason }) => reason.startsWith("[logging]"))
      .map(({ kind, action, value, reason }) => [`${action} ${kind}`, value, reason]);
  };
  const to = ["allow net", "siem.example.org:6514", "[logging] forward_host, forward_port"];
  const own = '[logging] forward_protocol "udp", its own end';
  const settings = 'forward_host = "siem.example.org"\nforward_port = 6514\n';
  assert.deepEqual(collector(settings), []);
  const on = `${settings}forward_enabled = true\n`;
  assert.deepEqual(collector(`${on}forward_protocol = "tcp"\n`), [to]);
  assert.deepEqual(collector(on), [to, ["allow net", "0.0.0.0:0", own]]);
  const ends = { "127.0.0.1": "127.0.0.1:0", localhost: "127.0.0.1:0", "::1": "[::1]:0" };
  for (const [host, end] of Object.entries({ ...ends, "[2001:db8::7]": "[::]:0" })) {
    const found = collector(`forward_enabled = true\nforward_host = "${host}"\n`);
    assert.deepEqual(found[1], ["allow net", end, own]);
  }
});

Deno.test("derivePermissions() grants whom alerts go to", () => {
  const of = (text: string) => {
    const file = { path: "messagefoundry.toml", text: `[store]\npath = "/data/mf.db"\n${text}` };
    return derivePermissions(input({ settings: loadSettings({ file }).settings }));
  };
  const plain = of("");
  const net = (text: string) =>
    values(of(text), "net").filter((value) => !values(plain, "net").includes(value));
  const hook = (url: string) => net(`[alerts]\nwebhook_url = "${url}"\n`);
  assert.deepEqual(hook("https://hooks.example.com/x"), ["hooks.example.com:443"]);
  assert.deepEqual(hook("http://hooks.example.com/x"), ["hooks.example.com:80"]);
  assert.deepEqual(hook("https://[2001:db8::7]:8443/x"), ["[2001:db8::7]:8443"]);
  const mail = '[alerts]\nemail_smtp_host = "smtp.example.com"\n';
  assert.deepEqual(net(mail), [], "nothing is sent without a sender");
  assert.deepEqual(net(`${mail}email_from = "a@example.com"\n`), ["smtp.example.com:587"]);
});

Deno.test("derivePermissions() grants reading the breach list, and nothing more of it", () => {
  const grants = (breachListFile: string | undefined) =>
    derivePermissions(input({ paths: { ...input().paths, breachListFile } }))
      .filter(({ reason }) => reason === "[auth] breach_corpus_file")
      .map(({ kind, value }) => `${kind} ${value}`);
  assert.deepEqual(grants("/srv/breached.txt"), ["read /srv/breached.txt"]);
  assert.deepEqual(grants(undefined), []);
});

Deno.test("derivePermissions() grants the directory that is asked, and the file of its authority", () => {
  const grantsOf = (lines: string) => {
    const file = { path: "messagefoundry.toml", text: `[auth]\n${lines}\n` };
    const env = { MEFOR_AUTH_AD_BIND_PASSWORD: "word" };
    const { settings } = loadSettings({ file, env });
    const isAsked = settings.auth.enabled && settings.auth.adEnabled;
    const paths = { ...input().paths, directoryCaFile: isAsked ? "/etc/ca.pem" : undefined };
    return derivePermissions(input({ settings, paths }))
      .filter(({ reason }) => /\bad_/.test(reason))
      .map(({ kind, value, reason }) => `${kind} ${value} for ${reason}`);
  };
  const base = 'ad_user_search_base = "DC=x"\nad_bind_dn = "CN=x"\nad_enabled = true\n';
  const read = "read /etc/ca.pem for [auth] ad_tls_ca_cert_file";
  for (
    const [server, value] of [
      ["ldaps://dc1.example.org", "dc1.example.org:636"],
      ["ldaps://dc1.example.org:3269/", "dc1.example.org:3269"],
      ["ldaps://10.0.0.7", "10.0.0.7:636"],
      ["ldaps://[fd00::7]:636", "[fd00::7]:636"],
    ]
  ) {
    assert.deepEqual(grantsOf(`${base}ad_server = "${server}"`), [
      `net ${value} for [auth] ad_server`,
      read,
    ]);
  }
  const plain = 'ad_server = "ldap://dc1"\nad_allow_insecure_ldap = true';
  assert.deepEqual(grantsOf(base + plain), ["net dc1:389 for [auth] ad_server", read]);
  assert.deepEqual(grantsOf('ad_server = "ldaps://dc1"'), [], "ad_enabled is off");
  assert.deepEqual(grantsOf(`${base}ad_server = "ldaps://dc1"\nenabled = false`), []);
});

Deno.test("derivePermissions() grants the database server, and no store files beside it", () => {
  const grantsOf = (lines: string, storeCaFile?: string) => {
    const text = `[store]\npath = "/data/mf.db"\ndatabase = "mf"\n${lines}\n`;
    const { settings } = loadSettings({ file: { path: "messagefoundry.toml", text } });
    const paths = { ...input().paths, storeCaFile };
    return derivePermissions(input({ settings, paths }))
      .filter(({ reason }) => reason.startsWith("[store]"))
      .map(({ kind, value, reason }) => `${kind} ${value} for ${reason}`);
  };
  const named = "for [store] server, port";
  assert.deepEqual(grantsOf('backend = "postgres"\nserver = "db.example.org"'), [
    `net db.example.org:5432 ${named}`,
  ]);
  assert.deepEqual(
    grantsOf('backend = "sqlserver"\nusername = "mf"\nserver = "sql01.example.org"'),
    [
      `net sql01.example.org:1433 ${named}`,
    ],
  );
  assert.deepEqual(
    grantsOf('backend = "postgres"\nserver = "fd00::7"\nport = 6432', "/etc/ca.pem"),
    [`net [fd00::7]:6432 ${named}`, "read /etc/ca.pem for [store] tls_ca_file"],
  );
  assert.ok(grantsOf('server = "db.example.org"').every((grant) => !grant.startsWith("net")));
});

Deno.test("derivePermissions() grants what stands behind a link as well", () => {
  const realPathOf = (path: string) => path === "/out" ? "/mnt/share/out" : path;
  const grants = derivePermissions(input({ graph, realPathOf }));
  assert.ok(values(grants, "write").includes("/out"));
  assert.ok(values(grants, "write").includes("/mnt/share/out"));
});

Deno.test("derivePermissions() lets a reload read its roots, and what stands behind a link", () => {
  const paths = { ...input().paths, reloadRoots: ["/srv/staging", "/srv/current"] };
  const realPathOf = (path: string) => path === "/srv/current" ? "/srv/releases/7" : path;
  const granted = derivePermissions(input({ paths, realPathOf }))
    .filter(({ reason }) => reason === "[api] config_reload_roots")
    .map(({ kind, value }) => `${kind} ${value}`);
  assert.deepEqual(granted, ["read /srv/staging", "read /srv/current", "read /srv/releases/7"]);
});

Deno.test("derivePermissions() lets the engine see where an [egress] entry leads that is a link", () => {
  const paths = { ...input().paths, egressDirs: ["/srv/plain", "/srv/link"] };
  const realPathOf = (path: string) => path.replace("/srv/link", "/mnt/share");
  const granted = derivePermissions(input({ paths, realPathOf }))
    .filter(({ reason }) => reason.startsWith("[egress]"))
    .map(({ kind, value }) => `${kind} ${value}`);
  assert.deepEqual(granted, ["read /srv/link", "read /mnt/share"]);
});

Deno.test("flagsOf() is one line the runtime takes, without paths inside others", () => {
  const flags = flagsOf(derivePermissions(input({ graph })));
  for (const flag of ["--no-prompt", "--cached-only", "--frozen", "--ignore-env"]) {
    assert.ok(flags.includes(flag));
  }
  const reads = flags.find((flag) => flag.startsWith("--allow-read="));
  assert.equal(
    reads,
    "--allow-read=/opt/mf/src,/srv/bundle,/srv/values,/etc/mf.toml,/data/mf.db,/data/mf.db-wal,/data/mf.db-shm,/data/mf.db-log,/data/mf.db.lock,/out",
  );
  const paths = { ...input().paths, environmentsDir: "/srv/bundle/environments" };
  const nested = flagsOf(derivePermissions(input({ graph, paths })));
  assert.ok(nested.every((flag) => !flag.includes("/srv/bundle/environments")));
});

Deno.test("flagsOf() refuses a path that a flag would cut in two", () => {
  const paths = { ...input().paths, bundleDir: "/srv/a,b" };
  assert.throws(() => flagsOf(derivePermissions(input({ paths }))), /takes? no comma/);
});

Deno.test("comparePermissions() names the flag and setting of what is missing", () => {
  const grants = derivePermissions(input({ graph }));
  const { missing, wider } = comparePermissions(
    grants,
    (descriptor) =>
      descriptor.name === "net" && descriptor.host === "lab.example.org:6661" ||
        descriptor.name === "net" && descriptor.host === undefined ||
        descriptor.name === "run" || descriptor.name === "ffi" || descriptor.name === "sys" ||
        (descriptor.name === "read" || descriptor.name === "write") &&
          (descriptor.path === undefined || descriptor.path === "/") ||
        descriptor.name === "net" && descriptor.host === "192.0.2.1:9"
        ? "prompt"
        : "granted",
  );
  assert.deepEqual(missing.map(missingText), [
    '--allow-net=lab.example.org:6661 is missing (for outbound "OB_A", host and port; outbound "OB_B", host and port)',
  ]);
  assert.deepEqual(wider, ["--allow-env"]);
});

Deno.test("derivePermissions() lets the API's certificate files be read, and nothing beside them", () => {
  const { paths } = input();
  const grants = derivePermissions(input({
    paths: {
      ...paths,
      apiTlsFiles: [
        { key: "tls_cert_file", path: "/etc/tls/mf.pem" },
        { key: "tls_key_file", path: "/etc/tls/mf.key" },
      ],
    },
    realPathOf: (path) => path.replace("/etc/tls/mf.pem", "/etc/tls/archive/mf1.pem"),
  }));
  const ofTls = grants.filter(({ reason }) => reason.startsWith("[api] tls_"));
  assert.deepEqual(ofTls.map(({ kind, value, reason }) => [kind, value, reason]), [
    ["read", "/etc/tls/mf.pem", "[api] tls_cert_file"],
    ["read", "/etc/tls/archive/mf1.pem", "[api] tls_cert_file"],
    ["read", "/etc/tls/mf.key", "[api] tls_key_file"],
  ]);
});

Deno.test("derivePermissions() grants the addresses of localhost for TLS, the name alone without", () => {
  const netOf = (lines: string) => {
    const text = `[store]\npath = "/data/mf.db"\n[api]\nhost = "localhost"\n${lines}`;
    const { settings } = loadSettings({ file: { path: "messagefoundry.toml", text } });
    return values(derivePermissions(input({ settings })), "net");
  };
  assert.deepEqual(netOf(""), ["localhost:8765"]);
  assert.deepEqual(netOf('tls_cert_file = "/etc/tls/mf.pem"\n'), [
    "localhost:8765",
    "127.0.0.1:8765",
    "[::1]:8765",
  ]);
});

Deno.test("comparePermissions() sees a kind that is open but for its name", () => {
  const grants = derivePermissions(input({ graph }));
  const widerBy = (open: (descriptor: Deno.PermissionDescriptor) => boolean, asked = grants) =>
    comparePermissions(asked, (descriptor) => open(descriptor) ? "granted" : "prompt").wider;
  assert.deepEqual(widerBy((one) => one.name === "read" && one.path === "/"), ["--allow-read"]);
  assert.deepEqual(widerBy((one) => one.name === "write" && one.path === "/"), ["--allow-write"]);
  assert.deepEqual(widerBy((one) => one.name === "net" && one.host === "192.0.2.1:9"), [
    "--allow-net",
  ]);
  assert.deepEqual(widerBy((one) => one.name === "env" && one.variable === "PATH"), [
    "--allow-env",
  ]);
  // A graph that writes to the root of the disk asked for it; --tighten says what that means.
  const outbounds = new Map([["OB_F", outbound("OB_F", { path: "/" })]]);
  const asked = derivePermissions(input({ graph: { ...graph, outbounds } }));
  assert.deepEqual(widerBy((one) => one.name === "write" && one.path === "/", asked), []);
});

Deno.test("derivePermissions() lets the engine read the file of a reference set, and nothing beside", () => {
  const definition = {
    kind: "file" as const,
    name: "providers",
    path: "/exports/providers.csv",
    format: "csv" as const,
    encoding: "utf-8",
    refreshMs: 1,
    position: undefined,
  };
  const references = new Map([[definition.name, definition]]);
  const realPathOf = (path: string) => path === definition.path ? "/mnt/p-2026.csv" : path;
  const before = derivePermissions(input({ graph, realPathOf }));
  const after = derivePermissions(input({ graph: { ...graph, references }, realPathOf }));
  const added = after.filter(({ kind, value }) =>
    !before.some((grant) => grant.kind === kind && grant.value === value)
  );
  assert.deepEqual(added.map(({ kind, value, reason }) => [kind, value, reason]), [
    ["read", "/exports/providers.csv", 'reference "providers"'],
    ["read", "/mnt/p-2026.csv", 'reference "providers"'],
  ]);
});

Deno.test("derivePermissions() lets the engine reach the database of a reference set, and nothing beside", () => {
  for (const [dialect, port] of [["postgres", 5433], ["sqlserver", 1433]] as const) {
    const place = { host: "mdm.example.org", tlsCaFile: "/etc/mf/mdm.pem" };
    const definition = databaseSet({ dialect, port, name: "plans", ...place });
    const references = new Map([[definition.name, definition]]);
    const before = derivePermissions(input({ graph }));
    const after = derivePermissions(input({ graph: { ...graph, references } }));
    const added = after.filter(({ kind, value }) =>
      !before.some((grant) => grant.kind === kind && grant.value === value)
    );
    assert.deepEqual(added.map(({ kind, value, reason }) => [kind, value, reason]), [
      ["net", `mdm.example.org:${port}`, 'reference "plans", server and port'],
      ["read", "/etc/mf/mdm.pem", 'reference "plans"'],
    ]);
  }
});
