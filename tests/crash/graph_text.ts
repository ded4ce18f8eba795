/** The graph of the proof: it does what `expectation.ts` promises. Pure. */
import type { InboundName, LaneName } from "./expectation.ts";

export interface Ports {
  readonly inbounds: Readonly<Record<InboundName, number>>;
  readonly lanes: Readonly<Record<LaneName, number>>;
}

export function graphText({ inbounds, lanes }: Ports): string {
  return `
import { handler, inbound, mllp, outbound, router, send, setState, state } from "messagefoundry";

const retry = { backoffSeconds: 0.03, backoffMultiplier: 1.5, maxBackoffSeconds: 0.3 };
const to = (port: number) => mllp({ host: "127.0.0.1", port, timeoutSeconds: 10 });
const a = outbound("OB_A", to(${lanes.OB_A}), { retry });
const b = outbound("OB_B", to(${lanes.OB_B}), { retry });
const c = outbound("OB_C", to(${lanes.OB_C}), { retry });
const blocked = outbound("OB_BLOCKED", to(${lanes.OB_BLOCKED}), { retry });
const any = outbound("OB_ANY", to(${lanes.OB_ANY}), { retry, ordering: "unordered" });

const copy = handler("copy", (msg) => send(a, msg.set("MSH-3", "copy.1")));
const second = handler("second", (msg) => {
  const first = send(a, msg.set("MSH-3", "second.1"));
  return [first, send(b, msg.set("MSH-3", "second.2"))];
});
const nothing = handler("nothing", () => null);
const broken = handler("broken", () => {
  throw new Error("as planned");
});
const toBlocked = handler("to_blocked", (msg) => send(blocked, msg.set("MSH-3", "to_blocked.1")));
const count = handler("count", (msg) => {
  const value = (state<number>("proof", "count") ?? 0) + 1;
  return [send(c, msg.set("MSH-3", \`count.\${value}\`)), setState("proof", "count", value)];
});
const slow = handler("slow", (msg) => {
  for (let step = 0; step < 40; step += 1) work(100_000);
  return send(b, msg.set("MSH-3", "slow.1"));
});
const more = handler("more", (msg) => send(any, msg.set("MSH-3", "more.1")));
// Ends the process: the heap of the proof's engine is small.
const poison = handler("poison", () => {
  const hoard: number[][] = [];
  for (;;) {
    const piece = new Array<number>(50_000);
    for (let index = 0; index < piece.length; index += 1) piece[index] = index + 0.5;
    hoard.push(piece);
  }
});

function work(steps: number): number {
  let sum = 0;
  for (let step = 0; step < steps; step += 1) sum = (sum + step * 7) % 1_000_003;
  return sum;
}

const route = router("route", (msg) => {
  switch (msg.get("PID-2")) {
    case "plain":
      return copy;
    case "both":
      return [copy, second];
    case "filtered":
      return nothing;
    case "throws":
      return [copy, broken];
    case "blocked":
      return toBlocked;
    case "poison":
      return poison;
    default:
      return null;
  }
});
const counting = router("counting", () => count);
const slowly = router("slowly", () => [slow, more]);

inbound("IB_FAST", mllp({ port: ${inbounds.IB_FAST} }), { router: route });
inbound("IB_COUNT", mllp({ port: ${inbounds.IB_COUNT} }), { router: counting });
inbound("IB_SLOW", mllp({ port: ${inbounds.IB_SLOW} }), { router: slowly });
`;
}
