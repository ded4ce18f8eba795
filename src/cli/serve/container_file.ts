/**
 * A container file for the engine: the unpacked archive, the derived flags as entry point, a user of
 * its own, nothing writable but the data. Pure.
 */
import { dirname } from "node:path";
import { addressOf, commandOf, type Deployment, isListener } from "./deployment.ts";

/** Debian's small image of one point release; a digest pins it for good. */
const BASE = "debian:12.12-slim";

/** User and group; numbers, for the image has no such name. */
const USER = 10001;

/** Writes the file. Its build context is the unpacked archive. */
export function containerFile(deployment: Deployment): string {
  const { runtime, programDir, workDir, writableDirs } = deployment;
  const program = programDir ?? dirname(deployment.main);
  const lines = [
    '# Written by "messagefoundry permissions --format container". Write it again whenever settings',
    "# or graph change: the flags below hold the paths and addresses of both.",
    "#",
    `# Build: podman build -t messagefoundry -f Containerfile ${program}`,
    "# Run:   see the last lines",
    `ARG BASE=${BASE}`,
    "# To pin the bytes: --build-arg BASE=debian@sha256:...",
    "FROM ${BASE}",
    "",
    `COPY --chown=0:0 ${json([".", `${program}/`])}`,
    "# A new volume takes over owner and mode of these.",
    `RUN ${
      json(["install", "-d", "-o", `${USER}`, "-g", `${USER}`, "-m", "0700", ...writableDirs])
    }`,
    `USER ${USER}:${USER}`,
    `WORKDIR ${workDir}`,
    `ENV DENO_DIR=${program}/cache DENO_NO_UPDATE_CHECK=1`,
    `VOLUME ${json(writableDirs)}`,
    ...exposed(deployment),
    "STOPSIGNAL SIGTERM",
    "# The runtime asks the API itself: the image has no tool that could.",
    "HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD " +
    json(healthCheck(deployment)),
    `ENTRYPOINT ${json(commandOf({ ...deployment, runtime }))}`,
    "",
    ...runCommand(deployment),
  ];
  return lines.join("\n");
}

/** Listeners off loopback; one on loopback is out of reach from outside the container. */
function exposed({ grants }: Deployment): readonly string[] {
  const ports = grants.filter((grant) => grant.kind === "net" && grant.action === "allow")
    .filter(isListener).map(addressOf)
    .filter(({ host }) => !isLoopback(host))
    .flatMap(({ port }) => port ?? []);
  return ports.length === 0 ? [] : [`EXPOSE ${[...new Set(ports)].join(" ")}`];
}

function healthCheck({ runtime, api: { host, port } }: Deployment): readonly string[] {
  const address = `${askedHost(host)}:${port}`;
  const module = `const { ok } = await fetch("http://${address}/health");Deno.exit(ok ? 0 : 1)`;
  return [
    runtime,
    "run",
    "--quiet",
    "--no-prompt",
    "--no-config",
    "--cached-only",
    `--allow-net=${address}`,
    `data:text/javascript,${encodeURIComponent(module)}`,
  ];
}

/** An API on every interface is asked on loopback. */
function askedHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

function runCommand(deployment: Deployment): readonly string[] {
  const { grants, writableDirs, programDir, main } = deployment;
  const program = programDir ?? dirname(main);
  const isInside = (path: string, dir: string) => path === dir || path.startsWith(`${dir}/`);
  const read = grants.filter(({ kind, action }) => kind === "read" && action === "allow")
    .map(({ value }) => value)
    .filter((path) => ![program, ...writableDirs].some((dir) => isInside(path, dir)));
  const mounts = [...new Set(read)].filter((path) =>
    !read.some((other) => other !== path && isInside(path, other))
  );
  const listensOnLoopback = grants.some((grant) =>
    grant.kind === "net" && grant.action === "allow" && isListener(grant) &&
    isLoopback(addressOf(grant).host)
  );
  const args = [
    "--read-only --cap-drop=ALL --security-opt=no-new-privileges",
    `--stop-timeout=${deployment.stopSeconds}`,
    "--env-file=/etc/messagefoundry/secrets.env",
    ...(listensOnLoopback ? ["--network=host"] : []),
    ...mounts.map((path) => `--volume=${path}:${path}:ro`),
    ...writableDirs.map((dir) => `--volume=NAME:${dir}`),
    "messagefoundry",
  ];
  return [
    ...(listensOnLoopback
      ? ["# A listener is on loopback, which only the host's own network reaches."]
      : []),
    "# podman run \\",
    ...args.map((arg, index) => `#   ${arg}${index === args.length - 1 ? "" : " \\"}`),
  ];
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host.startsWith("127.") || host === "::1";
}

/** The exec form: words as they are, no shell. */
function json(words: readonly string[]): string {
  return JSON.stringify(words).replaceAll('","', '", "');
}
