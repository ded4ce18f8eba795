/**
 * A sender that wants every message taken: it finds the leader as a load balancer does, sends one
 * message after the other, and sends again what was not acknowledged. And what its partner may say
 * about it afterwards. Source: spec pipeline-store-cluster I25, I28, I55–I57, I64.
 */
import { MllpSender } from "../connectors/mllp_sender.ts";
import type { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { pause } from "../connectors/waiting.ts";
import { admission } from "../walk/bench.ts";
import type { ClusterSite } from "./cluster_site.ts";
import type { LeadersAct } from "./lease_history.ts";

const REPLY_MS = 1_500;
const NOTICED_MS = 250;

export interface TrafficOptions {
  readonly pauseMs?: number;
  /** Of what stands before the nodes; left out, the sender looks for the leader itself. */
  readonly address?: { readonly host: string; readonly port: number };
}

export class Traffic {
  /** Control IDs that were acknowledged, in order. */
  readonly acknowledged: string[] = [];
  /** The same, with the node that acknowledged each. */
  readonly acknowledgements: LeadersAct[] = [];
  /** How often more than once each was sent that was sent again. */
  readonly sendsAgain = new Map<string, number>();
  /** Times without an acknowledgement that somebody would notice, milliseconds, in order. */
  readonly gapsMs: number[] = [];
  #acknowledgedAt = performance.now();
  readonly #site: ClusterSite;
  readonly #address: TrafficOptions["address"];
  readonly #pauseMs: number;
  #stopping = false;
  #isGivenUp = false;
  /** The control ID of the last frame. */
  #last = "";
  #running: Promise<void> | undefined;

  constructor(site: ClusterSite, { pauseMs = 5, address }: TrafficOptions = {}) {
    this.#site = site;
    this.#address = address;
    this.#pauseMs = pauseMs;
  }

  /** Since the last acknowledgement, milliseconds. */
  get gapMs(): number {
    return performance.now() - this.#acknowledgedAt;
  }

  /** How often something was sent again. */
  get refusals(): number {
    return this.sendsAgain.values().reduce((sum, times) => sum + times, 0);
  }

  start(): void {
    this.#acknowledgedAt = performance.now();
    this.#running = this.#run();
  }

  get longestGapMs(): number {
    return Math.max(0, ...this.gapsMs);
  }

  /** Ends when the message under way is acknowledged; false when that took longer than `ms`. */
  async stop(ms = 60_000): Promise<boolean> {
    this.#stopping = true;
    const giveUp = setTimeout(() => this.#isGivenUp = true, ms);
    await this.#running;
    clearTimeout(giveUp);
    return !this.#isGivenUp;
  }

  /** Resolves when `count` more messages are acknowledged. */
  async acknowledges(count: number, ms = 30_000): Promise<void> {
    const want = this.acknowledged.length + count;
    const deadline = performance.now() + ms;
    while (this.acknowledged.length < want) {
      if (performance.now() > deadline) {
        throw new Error(`Only ${this.acknowledged.length} of ${want} acknowledged in ${ms} ms`);
      }
      await pause(10);
    }
  }

  async #run(): Promise<void> {
    let sender: MllpSender | undefined;
    for (let sequence = 1; !this.#stopping; sequence++) {
      const controlId = `M${sequence}`;
      while (!this.#isGivenUp) {
        sender ??= await this.#connect();
        if (sender !== undefined && await this.#exchange(sender, controlId)) break;
        sender?.[Symbol.dispose]();
        sender = undefined;
        await pause(20);
      }
      if (this.#isGivenUp) break;
      if (this.gapMs > NOTICED_MS && this.acknowledged.length > 0) this.gapsMs.push(this.gapMs);
      this.#acknowledgedAt = performance.now();
      this.acknowledged.push(controlId);
      await pause(this.#pauseMs);
    }
    sender?.[Symbol.dispose]();
  }

  async #connect(): Promise<MllpSender | undefined> {
    const leader = this.#address ? undefined : await this.#site.findLeader();
    const address = this.#address ?? (leader && this.#site.inboundOf(leader));
    if (address === undefined) return undefined;
    const { host, port } = address;
    return await MllpSender.connect(port, { host }).catch(() => undefined);
  }

  async #exchange(sender: MllpSender, controlId: string): Promise<boolean> {
    if (controlId === this.#last) {
      this.sendsAgain.set(controlId, (this.sendsAgain.get(controlId) ?? 0) + 1);
    }
    this.#last = controlId;
    const before = sender.replies.length;
    sender.send(admission(controlId));
    try {
      const reply = (await sender.waitForReplies(before + 1, REPLY_MS))[before]!;
      if (!reply.includes(`MSA|AA|${controlId}`)) return false;
      const atMs = performance.timeOrigin + performance.now();
      this.acknowledgements.push({ controlId, from: sender.socket.remoteAddress ?? "", atMs });
      return true;
    } catch {
      return false;
    }
  }
}

export interface Verdict {
  /** Messages that were delivered. */
  readonly delivered: number;
  /** Acknowledged and never delivered. */
  readonly lost: readonly string[];
  /** Of those, the ones that a later message was delivered before: they will not come. */
  readonly overtaken: readonly string[];
  /** First deliveries that came after that of a later message. */
  readonly inversions: readonly string[];
  /** Deliveries beyond the first of each message. */
  readonly duplicates: number;
  /** Of those, the ones that the sender may have caused: it had sent the message again. */
  readonly duplicatesOfSender: number;
  /** Numbers of the state that no delivery carries. */
  readonly gapsInState: readonly number[];
}

/** What came of it, by what the partner received. */
export function judge(traffic: Traffic, { received }: ScriptedPartner): Verdict {
  const deliveries = new Map<string, number>();
  const inversions: string[] = [];
  const counts = new Set<number>();
  let last = 0;
  for (const { controlId, text } of received) {
    counts.add(Number(/\|count\.(\d+)\|/.exec(text)?.[1]));
    const before = deliveries.get(controlId) ?? 0;
    deliveries.set(controlId, before + 1);
    if (before > 0) continue;
    const number = numberOf(controlId);
    if (number < last) inversions.push(controlId);
    last = Math.max(last, number);
  }
  const highest = Math.max(0, ...counts);
  const gapsInState: number[] = [];
  for (let count = 1; count <= highest; count++) if (!counts.has(count)) gapsInState.push(count);
  const lost = traffic.acknowledged.filter((controlId) => !deliveries.has(controlId));
  let duplicatesOfSender = 0;
  for (const [controlId, again] of traffic.sendsAgain) {
    duplicatesOfSender += Math.min(again, Math.max(0, (deliveries.get(controlId) ?? 0) - 1));
  }
  return {
    delivered: deliveries.size,
    lost,
    overtaken: lost.filter((controlId) => numberOf(controlId) < last),
    inversions,
    duplicates: received.length - deliveries.size,
    duplicatesOfSender,
    gapsInState,
  };
}

function numberOf(controlId: string): number {
  return Number(controlId.slice(1));
}
