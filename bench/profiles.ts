/**
 * The named loads. Pure data.
 *
 * Upstream: `main.ts` picks some by name. Downstream: `run.ts` carries one out, `target.ts` builds
 * the engine's graph from its shape.
 */

/** One load: its shape, its messages and how they are sent. */
export interface Profile {
  readonly name: string;
  /** What it answers, one line. */
  readonly title: string;
  /** Sending connections; connection `s` goes to inbound `s % inbounds`. */
  readonly sources: number;
  readonly inbounds: number;
  readonly lanes: number;
  /** Lanes each message goes to; inbound `i` routes to lanes `i * fanOut` onwards. */
  readonly fanOut: number;
  readonly messageBytes: number;
  /** Messages in flight on one sending connection, at most. */
  readonly depth: number;
  /** Over all sources; 0 for a closed loop: next message on the ACK of the last. */
  readonly ratePerSecond: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** Ends sending early; Infinity for a run bound by time. */
  readonly count: number;
  /** True when partners stay away until everything is queued. */
  readonly isBacklog: boolean;
  /** True when the target is also watched doing nothing for some seconds. */
  readonly watchesIdle: boolean;
  readonly isDefault: boolean;
  /** Reads of the engine's API meanwhile; the reference loop has none. */
  readonly apiCallsPerSecond: number;
}

const TYPICAL_BYTES = 2_000;

const base = {
  sources: 32,
  inbounds: 1,
  lanes: 1,
  fanOut: 1,
  messageBytes: TYPICAL_BYTES,
  depth: 1,
  ratePerSecond: 0,
  // The runtime compiles what runs often, in the background, for its first ten thousands of messages:
  // the reference loop is at its pace in a few seconds, the engine in some twenty.
  warmUpSeconds: 25,
  seconds: 10,
  count: Infinity,
  isBacklog: false,
  watchesIdle: false,
  isDefault: true,
  apiCallsPerSecond: 0,
} satisfies Omit<Profile, "name" | "title">;

/** Every profile, in the order of a full run. */
export const profiles: readonly Profile[] = [
  { ...base, name: "lane-1", title: "one strict lane, 4 sources", sources: 4 },
  {
    ...base,
    name: "lanes-8",
    title: "8 strict lanes, 32 sources",
    sources: 32,
    inbounds: 8,
    lanes: 8,
  },
  {
    ...base,
    name: "lanes-8-api",
    title: "lanes-8, and 200 reads of the API a second",
    sources: 32,
    inbounds: 8,
    lanes: 8,
    apiCallsPerSecond: 200,
  },
  { ...base, name: "lanes-32", title: "32 strict lanes, 32 sources", inbounds: 32, lanes: 32 },
  {
    ...base,
    name: "fan-out-2",
    title: "8 sources, each message to two lanes",
    sources: 8,
    inbounds: 8,
    lanes: 16,
    fanOut: 2,
  },
  {
    ...base,
    name: "large",
    title: "20 KB messages on 8 lanes, 8 sources",
    sources: 8,
    inbounds: 8,
    lanes: 8,
    messageBytes: 20_000,
  },
  {
    ...base,
    name: "idle-1500",
    title: "1,500 lanes, 521 messages a second over all of them",
    sources: 1_500,
    inbounds: 1_500,
    lanes: 1_500,
    depth: 4,
    ratePerSecond: 521,
    watchesIdle: true,
  },
  {
    ...base,
    name: "strict-1",
    title: "one source, one lane, one message in flight",
    sources: 1,
  },
  {
    ...base,
    name: "ack-500",
    title: "500 messages a second, for ACK latency",
    inbounds: 8,
    lanes: 8,
    depth: 8,
    ratePerSecond: 500,
  },
  {
    ...base,
    name: "fsync-1000",
    title: "1,000 messages a second on 32 lanes, for fsyncs a message",
    inbounds: 32,
    lanes: 32,
    depth: 8,
    ratePerSecond: 1_000,
  },
  {
    ...base,
    name: "backlog",
    title: "a million messages queued while partners are away, then drained",
    inbounds: 8,
    lanes: 8,
    warmUpSeconds: 0,
    seconds: 1_800,
    count: 1_000_000,
    isBacklog: true,
    isDefault: false,
  },
];

/** Finds profiles by name; without names, the default set. @throws {Error} for an unknown name. */
export function selectProfiles(names: readonly string[]): readonly Profile[] {
  if (names.length === 0) return profiles.filter((profile) => profile.isDefault);
  return names.map((name) => {
    const found = profiles.find((profile) => profile.name === name);
    if (found !== undefined) return found;
    const known = profiles.map((profile) => profile.name).join(", ");
    throw new Error(`Cannot find profile "${name}"; there are ${known}`);
  });
}

/** Lanes that inbound `inbound` routes to. */
export function lanesOfInbound(profile: Profile, inbound: number): readonly number[] {
  const first = inbound * profile.fanOut;
  return Array.from({ length: profile.fanOut }, (_, branch) => (first + branch) % profile.lanes);
}

/** Inbound that source `source` connects to. */
export function inboundOfSource(profile: Profile, source: number): number {
  return source % profile.inbounds;
}
