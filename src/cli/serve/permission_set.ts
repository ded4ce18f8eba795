/**
 * The permissions the engine needs for one graph under one set of settings. Pure.
 *
 * Upstream: settings, the resolved graph and what its connectors reach. Downstream: the launcher's
 * flag line, `messagefoundry permissions`, and the comparison at the engine's start. Every grant
 * names the setting behind it, so a reviewer can read where data may go, and why.
 */
import { dirname, isAbsolute, sep } from "node:path";
import { EngineError } from "../../errors.ts";
import type {
  InboundDefinition,
  OutboundDefinition,
  ReferenceDefinition,
} from "../../graph/graph.ts";
import { datagramSource } from "../../logging/mod.ts";
import { deniedNet, directoryAddress, hostAndPort, type Settings } from "../../settings/mod.ts";
import { storePort } from "../../settings/mod.ts";
import { sandboxV8Flags } from "../../sandbox/v8_flags.ts";

export type GrantKind = "net" | "read" | "write" | "env";

/** One permission, or one refusal that stands above all permissions. */
export interface Grant {
  readonly kind: GrantKind;
  readonly action: "allow" | "deny";
  /** As the flag takes it: `10.4.0.12:2575`, an absolute path, `MEFOR_*`. */
  readonly value: string;
  /** The setting or connection that asks for it. */
  readonly reason: string;
}

/** What a connection reaches; the shape of `connectors`' own `Reach`. */
export type Reached =
  | { readonly kind: "net"; readonly host: string; readonly port: number }
  | { readonly kind: "path"; readonly path: string; readonly write: boolean };

/** Paths of this instance, all absolute. */
export interface InstancePaths {
  /** The program's own source: workers read their modules, and the author's realm its text. */
  readonly program: string;
  /** Undefined when no file was found. */
  readonly serviceFile: string | undefined;
  readonly bundleDir: string;
  readonly environmentsDir: string;
  /** `[egress] allowed_file_dirs`. */
  readonly egressDirs: readonly string[];
  /** `[api] config_reload_roots`; one that is not there yet is granted as written. */
  readonly reloadRoots: readonly string[];
  /** Certificate and key files of the API, each with its key in `[api]`. */
  readonly apiTlsFiles: readonly { readonly key: string; readonly path: string }[];
  /** Undefined when no directory is asked, or its certificate is checked against public ones. */
  readonly directoryCaFile: string | undefined;
  /** Undefined when no database server is asked over TLS, or public authorities vouch for it. */
  readonly storeCaFile: string | undefined;
  /** Undefined when no list but the bundled one is asked. */
  readonly breachListFile: string | undefined;
  /** Undefined when the store's folder exists; otherwise the folder, which the engine makes. */
  readonly missingStoreDir: string | undefined;
}

export interface PermissionInput {
  readonly settings: Settings;
  readonly paths: InstancePaths;
  /** Absent: only what the settings alone ask for. */
  readonly graph?: {
    readonly inbounds: ReadonlyMap<string, InboundDefinition>;
    readonly outbounds: ReadonlyMap<string, OutboundDefinition>;
    readonly references?: ReadonlyMap<string, ReferenceDefinition>;
  };
  readonly reachOf: (
    type: string,
    direction: "inbound" | "outbound",
    settings: Readonly<Record<string, unknown>>,
  ) => readonly Reached[];
  /** Returns where an inbound listens; undefined when it does not. */
  readonly listenOf: (
    inbound: InboundDefinition,
  ) => { readonly host: string; readonly port: number } | undefined;
  /** Returns the real path of what exists, itself otherwise. */
  readonly realPathOf: (path: string) => string;
}

/** Files SQLite and the engine keep beside the store. */
const STORE_FILES = ["", "-wal", "-shm", "-log", ".lock"];
/** Tells the password of the first administrator; `src/auth/bootstrap.ts` writes it. */
const FIRST_PASSWORD_FILE = "bootstrap-admin.txt";

/** Returns every grant once, in the order of the flags. */
export function derivePermissions(input: PermissionInput): readonly Grant[] {
  const grants: Grant[] = [
    ...listeners(input),
    ...destinations(input),
    ...collector(input),
    ...notices(input),
    ...directory(input),
    ...databaseGrants(input),
    ...deniedPlaces(),
    ...files(input),
    allow("env", "MEFOR_*", "settings and environment values"),
  ];
  return unique(grants);
}

function listeners({ settings, graph, listenOf }: PermissionInput): readonly Grant[] {
  const { api } = settings;
  const grants = [allow("net", hostAndPort(api), "[api] host, port")];
  if (api.tlsCertFile !== undefined && /^localhost$/i.test(api.host)) {
    // Bound by its address, which is granted apart from the name.
    for (const host of ["127.0.0.1", "::1"]) {
      grants.push(allow("net", hostAndPort({ host, port: api.port }), "[api] host, port"));
    }
  }
  for (const inbound of graph?.inbounds.values() ?? []) {
    const address = listenOf(inbound);
    if (address === undefined) continue;
    const interfaceSetting = inbound.bindAddress === undefined
      ? "[inbound] bind_host"
      : "bind_address";
    grants.push(
      allow("net", hostAndPort(address), `inbound "${inbound.name}", ${interfaceSetting}`),
    );
  }
  return grants;
}

function destinations({ graph, reachOf }: PermissionInput): readonly Grant[] {
  const grants: Grant[] = [];
  for (const { name, type, settings } of graph?.outbounds.values() ?? []) {
    for (const reach of reachOf(type, "outbound", settings)) {
      if (reach.kind === "net") {
        grants.push(allow("net", hostAndPort(reach), `outbound "${name}", host and port`));
      }
    }
  }
  for (const definition of graph?.references?.values() ?? []) {
    if (definition.kind !== "database") continue;
    const reason = `reference "${definition.name}", server and port`;
    grants.push(allow("net", hostAndPort(definition), reason));
  }
  return grants;
}

/** A datagram socket needs its own end granted too: port 0 is any free port of one interface. */
function collector({ settings: { logging } }: PermissionInput): readonly Grant[] {
  const { forwardEnabled, forwardHost: host, forwardPort: port, forwardProtocol } = logging;
  if (!forwardEnabled || host === undefined) return [];
  const grants = [
    allow("net", hostAndPort({ host, port }), "[logging] forward_host, forward_port"),
  ];
  if (forwardProtocol === "udp") {
    const source = hostAndPort({ host: datagramSource(host), port: 0 });
    grants.push(allow("net", source, '[logging] forward_protocol "udp", its own end'));
  }
  return grants;
}

/** Whom alerts and notices go to. */
function notices({ settings: { alerts } }: PermissionInput): readonly Grant[] {
  const { webhookUrl, emailSmtpHost: host, emailSmtpPort: port, emailFrom } = alerts;
  const grants: Grant[] = [];
  if (webhookUrl !== undefined) {
    const { hostname, port: given, protocol } = new URL(webhookUrl);
    const usual = protocol === "https:" ? 443 : 80;
    const address = hostAndPort({ host: hostname, port: given === "" ? usual : Number(given) });
    grants.push(allow("net", address, "[alerts] webhook_url"));
  }
  if (host !== undefined && emailFrom !== undefined) {
    const address = hostAndPort({ host, port });
    grants.push(allow("net", address, "[alerts] email_smtp_host, email_smtp_port"));
  }
  return grants;
}

function directory({ settings: { auth } }: PermissionInput): readonly Grant[] {
  const address = directoryAddress(auth.adServer);
  if (!auth.enabled || !auth.adEnabled || address === undefined) return [];
  return [allow("net", hostAndPort(address), "[auth] ad_server")];
}

/** The server that keeps the store, if one does. */
export function databaseGrants(
  { settings: { store } }: { readonly settings: Pick<Settings, "store"> },
): readonly Grant[] {
  const { server: host } = store;
  const port = storePort(store);
  if (port === undefined || host === undefined) return [];
  return [allow("net", hostAndPort({ host, port }), "[store] server, port")];
}

/** Refusals that stand above all permissions. */
export function deniedPlaces(): readonly Grant[] {
  return deniedNet.map((value) => deny("net", value, "no partner lives there"));
}

function files(input: PermissionInput): readonly Grant[] {
  const { settings, paths } = input;
  const read: Grant[] = [];
  const write: Grant[] = [];
  const add = (path: string, { reason, writes }: { reason: string; writes: boolean }) => {
    // A grant does not follow the link at its end: what stands behind it is granted by name too.
    for (const value of new Set([path, input.realPathOf(path)])) {
      read.push(allow("read", value, reason));
      if (writes) write.push(allow("write", value, reason));
    }
  };
  add(paths.program, { reason: "the program itself", writes: false });
  add(paths.bundleDir, { reason: "--config", writes: false });
  add(paths.environmentsDir, { reason: "[environments] base_dir, dir", writes: false });
  for (const dir of paths.reloadRoots) {
    add(dir, { reason: "[api] config_reload_roots", writes: false });
  }
  // Read again when they change: through a link, whatever it leads to by then.
  for (const { key, path } of paths.apiTlsFiles) {
    add(path, { reason: `[api] ${key}`, writes: false });
  }
  if (paths.serviceFile !== undefined) {
    add(paths.serviceFile, { reason: "--service-config", writes: false });
  }
  if (paths.directoryCaFile !== undefined) {
    add(paths.directoryCaFile, { reason: "[auth] ad_tls_ca_cert_file", writes: false });
  }
  if (paths.storeCaFile !== undefined) {
    add(paths.storeCaFile, { reason: "[store] tls_ca_file", writes: false });
  }
  if (paths.breachListFile !== undefined) {
    add(paths.breachListFile, { reason: "[auth] breach_corpus_file", writes: false });
  }
  if (paths.missingStoreDir !== undefined) {
    add(paths.missingStoreDir, { reason: "[store] path, its folder is made", writes: true });
  }
  for (const dir of paths.egressDirs) {
    // Where an entry that is a link leads to is known only to a process that may read there.
    if (input.realPathOf(dir) === dir) continue;
    add(dir, { reason: "[egress] allowed_file_dirs, a link", writes: false });
  }
  const storeDir = input.realPathOf(dirname(settings.store.path));
  const storeName = settings.store.path.slice(dirname(settings.store.path).length);
  const isFile = settings.store.backend === "sqlite";
  for (const path of isFile ? new Set([settings.store.path, `${storeDir}${storeName}`]) : []) {
    for (const suffix of STORE_FILES) {
      read.push(allow("read", `${path}${suffix}`, "[store] path"));
      write.push(allow("write", `${path}${suffix}`, "[store] path"));
    }
  }
  if (settings.auth.enabled) {
    for (const dir of new Set([dirname(settings.store.path), storeDir])) {
      const file = `${dir}/${FIRST_PASSWORD_FILE}`;
      write.push(allow("write", file, "[auth] enabled, the first password"));
    }
  }
  for (const { path, reason, writes } of connectionPaths(input)) add(path, { reason, writes });
  for (const definition of input.graph?.references?.values() ?? []) {
    const path = definition.kind === "file" ? definition.path : definition.tlsCaFile;
    const reason = `reference "${definition.name}"`;
    if (path !== undefined) add(path, { reason, writes: false });
  }
  return [...read, ...write];
}

function connectionPaths({ graph, reachOf }: PermissionInput) {
  const paths: { path: string; reason: string; writes: boolean }[] = [];
  for (const direction of ["inbound", "outbound"] as const) {
    const definitions = direction === "inbound" ? graph?.inbounds : graph?.outbounds;
    for (const { name, type, settings } of definitions?.values() ?? []) {
      for (const reach of reachOf(type, direction, settings)) {
        if (reach.kind !== "path") continue;
        paths.push({ path: reach.path, reason: `${direction} "${name}"`, writes: reach.write });
      }
    }
  }
  return paths;
}

/**
 * Bounds the heap of young objects of each thread (MiB a semi-space). Measured: 60 to 100 MB less
 * resident memory, at the same rate.
 */
const memoryV8Flags = ["--max-semi-space-size=4"];

/** What every engine runs under, whatever its settings are. */
export const fixedFlags: readonly string[] = [
  "--no-prompt",
  "--cached-only",
  "--frozen",
  `--v8-flags=${[...sandboxV8Flags, ...memoryV8Flags].join(",")}`,
];

/**
 * Writes the grants as flags of the runtime. Variables other than `MEFOR_*` read as unset instead
 * of failing, for libraries look around.
 *
 * @throws {EngineError} `permissions.not_expressible` for a path no flag can carry.
 */
export function flagsOf(grants: readonly Grant[]): readonly string[] {
  const flags: string[] = [];
  for (const action of ["allow", "deny"] as const) {
    for (const kind of ["net", "read", "write", "env"] as const) {
      const granted = grants.filter((grant) => grant.kind === kind && grant.action === action)
        .map(({ value }) => value);
      const values = granted.filter((value) => !isInside(value, granted));
      if (values.length === 0) continue;
      const bad = values.find((value) => value.includes(","));
      if (bad !== undefined) {
        throw new EngineError(
          "permissions.not_expressible",
          `Cannot grant access to "${bad}": the runtime's flags take no comma`,
          { hint: "Give the file or directory a name without a comma" },
        );
      }
      flags.push(`--${action}-${kind}=${values.join(",")}`);
    }
  }
  return [...fixedFlags, ...flags, "--ignore-env"];
}

/** True for a path below another one of the list, which grants it already. */
function isInside(value: string, others: readonly string[]): boolean {
  return others.some((other) =>
    value !== other && isAbsolute(other) && value.startsWith(other + sep)
  );
}

function allow(kind: GrantKind, value: string, reason: string): Grant {
  return { kind, action: "allow", value, reason };
}

function deny(kind: GrantKind, value: string, reason: string): Grant {
  return { kind, action: "deny", value, reason };
}

/** Two reasons for one grant become one grant with both. */
function unique(grants: readonly Grant[]): readonly Grant[] {
  const byValue = new Map<string, Grant>();
  for (const grant of grants) {
    const key = `${grant.action} ${grant.kind} ${grant.value}`;
    const former = byValue.get(key);
    const reasons = former === undefined ? [] : former.reason.split("; ");
    if (reasons.includes(grant.reason)) continue;
    byValue.set(key, { ...grant, reason: [...reasons, grant.reason].join("; ") });
  }
  return [...byValue.values()];
}
