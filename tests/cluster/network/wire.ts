/**
 * The cable between a node and its database, and what can be wrong with it. What is lost is lost at
 * the far end's side, so no sender is told.
 */
import { runTool } from "../../connectors/foreign_tool.ts";
import type { Direction } from "../fault_proxy.ts";

export const nftPath = "/usr/sbin/nft";

export interface WireOptions {
  /** Namespace of the node, and its address at this cable. */
  readonly machine: string;
  readonly host: string;
  /** The cable's end at the node, and the one at the hub, where this program runs. */
  readonly near: string;
  readonly far: string;
}

type End = "node" | "database";
/** By the end at which it applies: what becomes of packets that arrive there. */
type Rules = Partial<Record<End, string>>;

/** One fault at a time: each of them takes the place of the one before, at each end in one moment. */
export class Wire {
  readonly #options: WireOptions;
  #isUnplugged = false;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  /** Address of the node, as the database sees it. */
  get host(): string {
    return this.#options.host;
  }

  /** Nothing passes any more that way, and nobody is told. */
  async hold(...directions: readonly Direction[]): Promise<void> {
    await this.#apply({
      database: directions.includes("to_database") ? "drop" : undefined,
      node: directions.includes("to_node") ? "drop" : undefined,
    });
  }

  /** Whatever the node sends is answered by a reset, old connections and new ones. */
  async reject(): Promise<void> {
    await this.#apply({ database: "meta l4proto tcp reject with tcp reset" });
  }

  /** Neither end hears that the other has ended a connection, or knows of none. */
  async loseEnds(): Promise<void> {
    const rule = "tcp flags & (fin | rst) != 0 drop";
    await this.#apply({ database: rule, node: rule });
  }

  /** As a firewall that has forgotten these connections, by the node's ports; others pass. */
  async forget(ports: readonly number[]): Promise<void> {
    const set = `{ ${ports.join(", ")} }`;
    await this.#apply({ database: `tcp sport ${set} drop`, node: `tcp dport ${set} drop` });
  }

  /** The far end is pulled out. */
  async unplug(): Promise<void> {
    this.#isUnplugged = true;
    await runTool("ip", ["link", "set", this.#options.far, "down"]);
  }

  /** All is well again; what was sent meanwhile is lost, or sent again by whoever sent it. */
  async release(): Promise<void> {
    await this.#apply({});
    if (this.#isUnplugged) await runTool("ip", ["link", "set", this.#options.far, "up"]);
    this.#isUnplugged = false;
  }

  async #apply(rules: Rules): Promise<void> {
    const { machine, near, far } = this.#options;
    await this.#nft([], rulesetOf(far, rules.database));
    await this.#nft(["ip", "netns", "exec", machine], rulesetOf(near, rules.node));
  }

  async #nft(where: readonly string[], commands: string): Promise<void> {
    const [program, ...args] = [...where, nftPath, commands];
    await runTool(program!, args);
  }
}

/** What takes the place of all rules before, in one transaction. */
function rulesetOf(name: string, rule: string | undefined): string {
  const table = `inet faults_${name}`;
  // Made first, for what is not there cannot be deleted.
  const commands = [`add table ${table}`, `delete table ${table}`];
  if (rule !== undefined) {
    // A reset can be sent from here only; it is early enough for the others too.
    const hook = "type filter hook input priority raw";
    commands.push(`add table ${table}`, `add chain ${table} arriving { ${hook}; }`);
    commands.push(`add rule ${table} arriving iifname "${name}" ${rule}`);
  }
  return commands.join("; ");
}
