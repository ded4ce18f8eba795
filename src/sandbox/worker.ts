/**
 * The worker that runs author code: no permission, walls up, one realm at a time.
 *
 * Upstream: `worker_link.ts` posts what `wire.ts` describes. Downstream: the realm.
 */
import { Inbox } from "./inbox.ts";
import { LoadTimeout, now, RealmHost } from "./realm_host.ts";
import { raiseWalls } from "./walls.ts";
import { runWatched } from "./watch.ts";
import type {
  FromWorker,
  LoadMessage,
  ReferenceMessage,
  RunMessage,
  Setup,
  ToWorker,
} from "./wire.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<Setup | null>) => void) | null;
  postMessage(message: FromWorker): void;
  addEventListener(type: string, listener: (event: Event) => void): void;
}

/**
 * One watch over the time serves the batches that begin within so long, milliseconds. An endless
 * loop may run so much longer than its limit.
 */
const watchMs = 25;

const scope = globalThis as unknown as WorkerScope;
const post = scope.postMessage.bind(scope);
// Taken before the walls go up, for they remove the globals.
const { setTimeout } = globalThis;

let inbox: Inbox | undefined;
let realm: RealmHost | undefined;
let isLoading = false;
/** Taken from the inbox, and still to be done. */
let held: ToWorker | undefined;
/** True while something is done in the realm under a watch. */
let isBusy = false;

/** Does what waits in the inbox; called again whenever something may be there. */
function serve(): void {
  while (!isLoading) {
    const message = held ?? inbox?.take();
    held = undefined;
    if (message === undefined) return;
    if (message.kind !== "run") {
      receive(message);
    } else if (realm === undefined) {
      post({ kind: "timedOut", handler: "" });
    } else {
      serveBatches(message);
      // The event loop has its turn between two watches.
      if (held !== undefined) setTimeout(serve, 0);
      return;
    }
  }
}

function receive(message: Exclude<ToWorker, RunMessage>): void {
  switch (message.kind) {
    case "load":
      return void load(message);
    case "commit":
      return realm?.commitState(message.inbound, JSON.stringify(message.entries));
    case "forget":
      return realm?.forgetState(JSON.stringify(message.keys));
    case "reference":
      return realm?.setReference(message.reference.name, message.reference.entries);
    case "discard":
      return realm?.discardState(message.inbound);
  }
}

async function load(message: LoadMessage): Promise<void> {
  isLoading = true;
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
  isLoading = false;
  serve();
}

/** Runs a batch, and those that follow soon, under one watch over the time. */
function serveBatches(first: RunMessage): void {
  const { timeoutMs } = first;
  const until = now() + watchMs;
  if (inbox !== undefined) inbox.isListening = true;
  try {
    runWatched(() => {
      doWatched(first);
      for (let left = until - now(); left > 0; left = until - now()) {
        const message = inbox?.takeWithin(left);
        if (message === undefined) continue;
        if (
          // A large table takes a while to read, and nobody is to blame for it.
          message.kind === "load" || message.kind === "reference" ||
          (message.kind === "run" && message.timeoutMs !== timeoutMs)
        ) {
          held = message;
          return;
        }
        doWatched(message);
      }
    }, timeoutMs + watchMs);
  } catch {
    // Nothing but the end of the time comes here, from the watch or from the realm. When the
    // machine slept while the worker waited it may come late, and the realm is as it was.
    if (isBusy) {
      const handler = realm?.currentHandler() ?? "";
      realm = undefined;
      post({ kind: "timedOut", handler });
    }
    isBusy = false;
  }
  if (inbox === undefined) return;
  inbox.isListening = false;
  held ??= inbox.take();
}

function doWatched(message: Exclude<ToWorker, LoadMessage | ReferenceMessage>): void {
  isBusy = true;
  if (message.kind !== "run") {
    receive(message);
  } else if (realm !== undefined) {
    const cells = realm.run(message.batch, message.timeoutMs);
    post({ kind: "ran", cells, consoleCalls: realm.consoleCalls() });
  }
  isBusy = false;
}

// Promises that author code leaves rejected are its own affair.
scope.addEventListener("unhandledrejection", (event) => event.preventDefault());
scope.onmessage = ({ data }) => {
  if (data !== null) inbox = new Inbox(data);
  serve();
};
raiseWalls();
