/**
 * A systemd unit for the engine: the derived flags, and the same walls once more in the kernel.
 *
 * Source: systemd.exec(5), systemd.service(5), systemd.resource-control(5) of version 252. Pure.
 */
import { isIP, isIPv4, isIPv6 } from "node:net";
import { addressOf, commandOf, type Deployment, isListener } from "./deployment.ts";

const USER = "messagefoundry";
/** The manager makes these itself, with what lies above them. */
const STATE = /^\/var\/lib\/([^\s%]+)$/;
const SECRETS = "/etc/messagefoundry/secrets.env";

/** Writes the unit. */
export function systemdUnit(deployment: Deployment): string {
  const { workDir, environment, stopSeconds } = deployment;
  const lines = [
    '# Written by "messagefoundry permissions --format systemd". Write it again whenever settings or',
    "# graph change: a grant that is missing refuses the start, naming flag and setting.",
    "#",
    `# Once: useradd --system --home-dir / --shell /usr/sbin/nologin ${USER}`,
    ...ownFolders(deployment),
    `# Save it as /etc/systemd/system/${deployment.service.name}.service, then:`,
    `#       systemctl daemon-reload && systemctl enable --now ${deployment.service.name}`,
    "",
    "[Unit]",
    `Description=MessageFoundry${environment === undefined ? "" : `, ${plain(environment)}`}`,
    "Wants=network-online.target",
    "After=network-online.target",
    ...deployment.service.autoRestart
      ? [
        "# A start that is refused is not tried again; a crash is, for ever, at intervals.",
        "StartLimitIntervalSec=0",
      ]
      : [],
    "",
    "[Service]",
    "Type=exec",
    `User=${USER}`,
    `Group=${USER}`,
    "UMask=0077",
    "# Relative paths of settings count from here.",
    `WorkingDirectory=${path(workDir)}`,
    ...folders(deployment),
    ...cache(deployment),
    "# Secrets: lines MEFOR_<SECTION>_<KEY>=value. The manager reads them as root before it lets the",
    `# engine go: chown root:root, chmod 0600. The engine reads variables only, so LoadCredential= is`,
    "# for files that settings name, a TLS key for one: they then lie in %d, for this user alone.",
    `EnvironmentFile=-${SECRETS}`,
    `ExecStart=${commandLine(deployment)}`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    "# [engine] shutdown_timeout_seconds, and a margin.",
    `TimeoutStopSec=${stopSeconds}`,
    "KillSignal=SIGTERM",
    "KillMode=mixed",
    ...restarts(deployment),
    ...output(deployment),
    "",
    ...walls(deployment),
    "",
    ...addresses(deployment),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ];
  return lines.join("\n");
}

function restarts({ service: { autoRestart } }: Deployment): readonly string[] {
  if (!autoRestart) return ["# [service] auto_restart is false.", "Restart=no"];
  return [
    "Restart=on-failure",
    "RestartSec=2",
    "# 2: refused by a gate, 3: cannot start. Neither gets better by itself.",
    "RestartPreventExitStatus=2 3",
  ];
}

/** The journal takes both unless a file is named; the manager opens it, so no grant is needed. */
function output({ service: { name, stdoutLog, stderrLog } }: Deployment): readonly string[] {
  return [
    `SyslogIdentifier=${name}`,
    ...(stdoutLog === undefined ? [] : [`StandardOutput=append:${path(stdoutLog)}`]),
    ...(stderrLog === undefined ? [] : [`StandardError=append:${path(stderrLog)}`]),
  ];
}

/** Nobody makes a folder outside /var/lib; one that is missing fails the start. */
function ownFolders({ writableDirs }: Deployment): readonly string[] {
  return writableDirs.filter((dir) => !STATE.test(dir)).map((dir) =>
    `#       install -d -o ${USER} -g ${USER} -m 0700 ${quoted(dir)}`
  );
}

/** Folders that may be written. What lies under /var/lib is made, for the engine's user alone. */
function folders({ writableDirs }: Deployment): readonly string[] {
  const states = writableDirs.flatMap((dir) => STATE.exec(dir)?.[1] ?? []);
  return [
    ...(states.length === 0
      ? []
      : [`StateDirectory=${states.join(" ")}`, "StateDirectoryMode=0700"]),
    "# The store and the directories of connections; everything else is read-only.",
    `ReadWritePaths=${writableDirs.map(quoted).join(" ")}`,
  ];
}

/** Compiled code of the runtime; the packages of a checkout lie in its own cache instead. */
function cache({ programDir }: Deployment): readonly string[] {
  if (programDir === undefined) return ["Environment=DENO_NO_UPDATE_CHECK=1"];
  return [
    "CacheDirectory=messagefoundry",
    "CacheDirectoryMode=0700",
    "Environment=DENO_DIR=%C/messagefoundry DENO_NO_UPDATE_CHECK=1",
  ];
}

/** One flag a line: whoever reviews the unit reads them one by one. */
function commandLine(deployment: Deployment): string {
  return commandOf(deployment).map(word).join(" \\\n  ");
}

function walls(deployment: Deployment): readonly string[] {
  const low = lowPorts(deployment);
  const capability = low ? "CAP_NET_BIND_SERVICE" : "";
  return [
    "NoNewPrivileges=yes",
    ...(low ? ["# A listener below port 1024."] : []),
    `CapabilityBoundingSet=${capability}`,
    `AmbientCapabilities=${capability}`,
    "ProtectSystem=strict",
    ...homes(deployment),
    "PrivateDevices=yes",
    // A user of another namespace cannot hold the capability to bind.
    `PrivateUsers=${low ? "no" : "yes"}`,
    "PrivateIPC=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "ProtectProc=invisible",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RemoveIPC=yes",
    "KeyringMode=private",
    "LockPersonality=yes",
    "# V8 compiles while it runs: it turns pages it has written into code. What yes would forbid is",
    "# how the engine works. V8 guards those pages with memory protection keys, hence @pkey.",
    "MemoryDenyWriteExecute=no",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service @pkey",
    "SystemCallFilter=~@privileged @keyring @setuid",
    "SystemCallErrorNumber=EPERM",
  ];
}

/** Homes and temporary folders are hidden unless the engine lives in one. */
function homes(deployment: Deployment): readonly string[] {
  const used = [
    deployment.runtime,
    deployment.main,
    deployment.workDir,
    ...deployment.grants.filter(({ kind }) => kind === "read" || kind === "write")
      .map(({ value }) => value),
  ];
  const isUsed = (pattern: RegExp) => used.some((one) => pattern.test(one));
  const isHome = isUsed(/^\/(home|root|run\/user)(\/|$)/);
  const isTemporary = isUsed(/^\/(var\/)?tmp(\/|$)/);
  return [
    ...(isHome ? ["# Program or data lie in a home; better to move them."] : []),
    `ProtectHome=${isHome ? "read-only" : "yes"}`,
    ...(isTemporary ? ["# Program or data lie in a temporary folder; better to move them."] : []),
    `PrivateTmp=${isTemporary ? "no" : "yes"}`,
  ];
}

function lowPorts({ grants }: Deployment): boolean {
  return grants.some((grant) =>
    grant.kind === "net" && isListener(grant) && (addressOf(grant).port ?? 1024) < 1024
  );
}

/**
 * Holds addresses in the kernel too. That cannot know names, nor the partners who come to a
 * listener: where either is, only the addresses no partner has are refused.
 */
function addresses({ grants }: Deployment): readonly string[] {
  const net = grants.filter(({ kind }) => kind === "net");
  const allowed = net.filter(({ action }) => action === "allow");
  const open = allowed.find((grant) => {
    const { host } = addressOf(grant);
    return isListener(grant) ? !isLoopback(host) : isIP(host) === 0 && host !== "localhost";
  });
  const families = "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK";
  if (open !== undefined) {
    const denied = net.filter(({ action }) => action === "deny").map(({ value }) =>
      value.replace(/[[\]]/g, "")
    );
    return [
      families,
      `# Not derived from the grants: ${
        isListener(open)
          ? `partners come to ${open.value} from addresses it does not name`
          : `${open.value} is a name`
      }.`,
      `IPAddressDeny=${denied.join(" ")}`,
    ];
  }
  const hosts = new Set(allowed.map((grant) => addressOf(grant).host));
  const literal = [...hosts].filter((host) => isIP(host) !== 0 && !isLoopback(host)).sort();
  return [
    families,
    "# Every listener is on loopback and every destination a literal address.",
    "IPAddressDeny=any",
    `IPAddressAllow=${["localhost", ...literal].join(" ")}`,
  ];
}

function isLoopback(host: string): boolean {
  return host === "localhost" || isIPv4(host) && host.startsWith("127.") ||
    isIPv6(host) && host === "::1";
}

/** A word of a command line, in which variables would be expanded too. */
function word(text: string): string {
  return quoted(text).replaceAll("$", "$$$$");
}

/** A word of a list: quoted where needed, specifiers mean themselves. */
function quoted(text: string): string {
  const safe = plain(text);
  return /[\s"'\\;]/.test(safe) ? `"${safe.replace(/["\\]/g, "\\$&")}"` : safe;
}

/** A whole value: spaces may stand, specifiers mean themselves. */
function path(text: string): string {
  return plain(text);
}

function plain(text: string): string {
  return text.replaceAll("%", "%%");
}
