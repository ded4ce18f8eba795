/**
 * The worker that runs author code: no permission, walls up, one realm at a time.
 *
 * Upstream: `worker_link.ts` posts what `wire.ts` describes. Downstream: the realm.
 */
import { BatchTimeout, LoadTimeout, RealmHost } from "./realm_host.ts";
import { raiseWalls } from "./walls.ts";
import type { FromWorker, LoadMessage, RunMessage, ToWorker } from "./wire.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
  addEventListener(type: string, listener: (event: Event) => void): void;
}

const scope = globalThis as unknown as WorkerScope;
const post = scope.postMessage.bind(scope);

let realm: RealmHost | undefined;
/** What came while a graph was being loaded, in order; undefined when none is. */
let waiting: ToWorker[] | undefined;

function receive(message: ToWorker): void {
  if (waiting !== undefined) {
    waiting.push(message);
    return;
  }
  switch (message.kind) {
    case "load":
      return void load(message);
    case "run":
      return run(message);
    case "commit":
      return realm?.commitState(message.inbound, JSON.stringify(message.entries));
    case "discard":
      return realm?.discardState(message.inbound);
  }
}

async function load(message: LoadMessage): Promise<void> {
  waiting = [];
  realm = undefined;
  try {
    realm = await RealmHost.load(message);
    post({ kind: "loaded", registry: realm.registry, problems: realm.problems });
  } catch (thrown) {
    // Anything but a timeout is a defect of ours; its text is not looked at here.
    const text = thrown instanceof LoadTimeout
      ? thrown.message
      : "Cannot load the graph: its realm does not open";
    post({ kind: "unloaded", problems: [{ message: text }] });
  }
  const messages = waiting;
  waiting = undefined;
  for (const later of messages) receive(later);
}

function run(message: RunMessage): void {
  // A batch for a realm that is gone goes unanswered, and its deadline tells.
  if (realm === undefined) return;
  try {
    const cells = realm.run(message.batch, message.timeoutMs);
    post({ kind: "ran", cells, consoleCalls: realm.consoleCalls() });
  } catch (thrown) {
    const handler = thrown instanceof BatchTimeout ? realm.currentHandler() : "";
    realm = undefined;
    post({ kind: "timedOut", handler });
  }
}

// Promises that author code leaves rejected are its own affair.
scope.addEventListener("unhandledrejection", (event) => event.preventDefault());
scope.onmessage = (event) => receive(event.data);
raiseWalls();
