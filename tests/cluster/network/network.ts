/**
 * A network of a test's own, made of the kernel's: a hub, where database, partner and sender stand,
 * and machines for nodes. Two cables lead from the hub to each machine: one to the database, which
 * is there to be cut, and one for all else.
 *
 * The machines are network namespaces; nothing of them is seen outside, and no address is given out
 * elsewhere. Who made them removes them, with whatever still runs inside.
 */
import { fileURLToPath } from "node:url";
import { hasTool, runTool } from "../../connectors/foreign_tool.ts";
import type { Ground } from "../ground.ts";
import { nftPath, Wire } from "./wire.ts";

const IP = "ip";

/** True when networks can be made and cut here; skipped aloud on a laptop, failed in CI. */
export async function hasNetworks(): Promise<boolean> {
  if (!await hasTool("sh", ["-c", "test $(id -u) = 0"])) return false;
  if (!await hasTool(IP, ["-V"]) || !await hasTool(nftPath, ["--version"])) return false;
  return await hasTool("unshare", ["-n", nftPath, "list", "ruleset"]);
}

/** Runs programs at the hub of a network that it has made. */
export class Network implements AsyncDisposable {
  readonly #name: string;
  readonly #machines: readonly string[];

  /** With machines 1 to `count`. */
  static async make(count: number): Promise<Network> {
    const name = `mefor${Deno.pid}x${made += 1}`;
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    const network = new Network(name, [hubOf(name), ...numbers.map((one) => machineOf(name, one))]);
    try {
      for (const machine of network.#machines) {
        await ip("netns", "add", machine);
        await ip("-n", machine, "link", "set", "lo", "up");
      }
      for (const cable of cables) {
        await ip("-n", hubOf(name), "address", "add", `${hubAddress(cable)}/32`, "dev", "lo");
        for (const number of numbers) await network.#lay(cable, number);
      }
      return network;
    } catch (thrown) {
      await network[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  private constructor(name: string, machines: readonly string[]) {
    this.#name = name;
    this.#machines = machines;
  }

  /**
   * Starts a program of the tests at the hub, with the permissions of tests; it is told the network's
   * name and finds it by `groundOf()`.
   */
  start(
    module: URL,
    args: readonly string[],
    output: "piped" | "inherit",
  ): Deno.ChildProcess {
    return new Deno.Command(IP, {
      args: [
        ...["netns", "exec", hubOf(this.#name), Deno.execPath(), "run", "-P", "--no-prompt"],
        ...["--cached-only", "--frozen", `--allow-net=127.0.0.0/8,${nets.join(",")}`],
        ...[fileURLToPath(module), "--network", this.#name, ...args],
      ],
      env: { DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
      stdout: output,
      stderr: output,
    }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const there = new Set(
      (await ip("netns", "list")).split("\n").map((line) => line.split(" ")[0]),
    );
    for (const machine of this.#machines.filter((name) => there.has(name))) {
      // What was started there and has lost whoever would end it.
      for (const pid of (await ip("netns", "pids", machine)).split("\n").filter(Boolean)) {
        try {
          Deno.kill(Number(pid), "SIGKILL");
        } catch {
          // It has ended since.
        }
      }
      await ip("netns", "delete", machine);
    }
  }

  async #lay(cable: Cable, number: number): Promise<void> {
    const [hub, machine] = [hubOf(this.#name), machineOf(this.#name, number)];
    const end = `${cable}${number}`;
    await ip("link", "add", end, "netns", hub, "type", "veth", "peer", cable, "netns", machine);
    await ip("-n", hub, "address", "add", `${address(cable, number, 1)}/30`, "dev", end);
    await ip("-n", machine, "address", "add", `${address(cable, number, 2)}/30`, "dev", cable);
    await ip("-n", hub, "link", "set", end, "up");
    await ip("-n", machine, "link", "set", cable, "up");
    const via = address(cable, number, 1);
    await ip("-n", machine, "route", "add", hubAddress(cable), "via", via);
  }
}

/** The network as programs at its hub see it. */
export function groundOf(name: string): Ground {
  return {
    databaseHost: hubAddress("db"),
    partnerHost: hubAddress("front"),
    nodeHost: (number) => address("front", number, 2),
    apiHost: (number) => address("front", number, 2),
    commandOf: (number) => [IP, "netns", "exec", machineOf(name, number)],
    netOf: (number) => [...cables.map(hubAddress), address("front", number, 2)],
    wireTo: (number) =>
      new Wire({
        ...{ machine: machineOf(name, number), host: address("db", number, 2) },
        ...{ near: "db", far: `db${number}` },
      }),
  };
}

const cables = ["db", "front"] as const;
type Cable = (typeof cables)[number];

/** Private addresses, RFC 1918. */
const nets = ["10.77.0.0/16", "10.78.0.0/16"];
let made = 0;

function hubOf(name: string): string {
  return `${name}hub`;
}

function machineOf(name: string, number: number): string {
  return `${name}n${number}`;
}

function hubAddress(cable: Cable): string {
  return address(cable, 0, 1);
}

function address(cable: Cable, number: number, host: number): string {
  return `10.${77 + cables.indexOf(cable)}.${number}.${host}`;
}

function ip(...args: readonly string[]): Promise<string> {
  return runTool(IP, args);
}
