/** A store in which each kind of cell that retention empties holds a word that nothing else holds. */
import { delivery, type StoreBench } from "../contract/store/bench.ts";
import { Random } from "../pipeline/random.ts";

export interface Wording {
  readonly word: string;
  readonly random: Random;
  /** Told apart from other fillings of one store. */
  readonly index: number;
}

/**
 * Fills every cell: messages refused, delivered with an answer, dead and failed, and what registers
 * say. All of it has come to an end and may be purged.
 */
export async function fillWorded(
  bench: StoreBench,
  { word, random, index }: Wording,
): Promise<void> {
  const text = (what: string, unitsMax: number) =>
    `${word} ${what} ${noise(random, 1 + random.below(unitsMax))}`;
  const error = text("refused for", 10);
  await bench.store.submit({
    kind: "record_error",
    message: bench.message({ raw: text("refused", 100) }),
    error,
  });
  // Some are larger than a page.
  const held = await bench.receive({
    raw: text("raw", random.chance(0.2) ? 3_000 : 100),
    metadata: JSON.stringify({ note: text("note", 10) }),
  });
  const [answering, dying] = [`OB_A${index}`, `OB_B${index}`];
  await bench.handOff(held, {
    deliveries: [delivery(answering, { payload: text("payload", 100) }), delivery(dying)],
    failures: [{ handler: "h", error: text("failure", 10) }],
    state: [{ namespace: "beds", key: `bed ${index}`, value: text("state", 10) }],
  });
  await bench.retry(
    await bench.take("outbound", answering),
    answering,
    bench.now,
    text("retry", 10),
  );
  const { seq, token, messageSeq } = await bench.take("outbound", answering);
  await bench.store.submit({
    ...{ kind: "complete_with_response", at: bench.now, seq, token, messageSeq },
    ...{ destination: answering, next: undefined },
    response: {
      ...{ outcome: "accepted", reingress: undefined },
      ...{ detail: text("detail", 10), body: text("answer", 100) },
    },
  });
  await bench.bury(await bench.take("outbound", dying), dying, text("dead", 10));
  await bench.store.submit({
    kind: "connection_events",
    events: [{
      ...{ at: bench.now, connection: "IB", transport: "mllp", direction: "inbound" },
      ...{ event: "closed", peer: undefined, reason: text("event", 10) },
    }],
  });
  const raised = ["down", dying, "high", bench.now, bench.now, 1, text("alert", 10)];
  await bench.store.submit({
    kind: "register",
    changes: [{ name: "alertRaise", values: raised }],
    audit: [],
  });
  const [alert] = await bench.store.register("alertsLive", 1);
  await bench.store.submit({
    kind: "register",
    changes: [{ name: "alertResolve", values: [bench.now, Number(alert!.id)] }],
    audit: [],
  });
}

/** Text that no server compresses, so that a word in it can be found in its files. */
function noise(random: Random, units: number): string {
  return Array.from({ length: units }, () => random.below(2 ** 32).toString(36)).join(" ");
}

/** Purges all that has come to an end, as a pass does. */
export async function purgeWorded(bench: StoreBench): Promise<void> {
  bench.passSeconds(10);
  for (
    const kind of ["messages", "dead_letters", "state", "connection_events", "alerts"] as const
  ) {
    await bench.purge(kind, bench.now);
  }
  await bench.endPurge({ logsAreClean: true });
}
