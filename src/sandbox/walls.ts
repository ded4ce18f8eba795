/**
 * The second wall, around the worker's own realm: should author code ever get out of its own, it
 * finds no Deno, no process, no network object, no import and no way to make code from text.
 *
 * The first wall is the realm, the third is that the worker has no permission at all.
 */
import { registerHooks } from "node:module";

const refused = "data:text/javascript,throw new TypeError('Imports end here');";

/** Globals the worker itself still needs. */
const kept: ReadonlySet<string> = new Set([
  ..."Object Function Array Number Boolean String Symbol BigInt Date Promise RegExp Math JSON Intl"
    .split(" "),
  ..."Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError".split(" "),
  ..."URIError Map Set WeakMap WeakSet WeakRef Iterator Proxy Reflect ArrayBuffer DataView".split(
    " ",
  ),
  ..."Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array BigUint64Array".split(" "),
  ..."BigInt64Array Uint8ClampedArray Float16Array Float32Array Float64Array".split(" "),
  ..."parseInt parseFloat isNaN isFinite Infinity NaN undefined globalThis".split(" "),
  // The runtime's own message loop looks this one up.
  "queueMicrotask",
  ..."Event EventTarget MessageEvent ErrorEvent PromiseRejectionEvent URL".split(" "),
]);

/** Raises it; nothing can be imported from here on. */
export function raiseWalls(): void {
  // A hook that redirects holds for static imports too, one that throws does not.
  registerHooks({ resolve: () => ({ url: refused, shortCircuit: true }) });
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!kept.has(name)) removeProperty(globalThis, name);
  }
  // What is inherited goes too, down to the event target that the runtime dispatches on.
  const base = EventTarget.prototype;
  for (let scope = Object.getPrototypeOf(globalThis); scope !== base && scope !== null;) {
    for (const name of Object.getOwnPropertyNames(scope)) {
      if (name !== "constructor") removeProperty(scope, name);
    }
    scope = Object.getPrototypeOf(scope);
  }
  for (const maker of [() => {}, async () => {}, function* () {}, async function* () {}]) {
    const prototype = Object.getPrototypeOf(maker) as object;
    Object.defineProperty(prototype, "constructor", { value: undefined, writable: false });
  }
  removeProperty(globalThis, "Function");
  removeProperty(globalThis, "eval");
}

function removeProperty(from: object, name: string): void {
  if (Reflect.deleteProperty(from, name)) return;
  Reflect.defineProperty(from, name, { value: undefined, writable: false });
}
