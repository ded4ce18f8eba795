/**
 * Closes a realm: what is not ECMAScript data or computation is removed, the rest is frozen, so that
 * no handler can change what the engine's code or another message sees.
 */

/** Globals that stay. Everything else a realm comes with is deleted. */
const keptGlobals: ReadonlySet<string> = new Set([
  ..."Object Function Array Number Boolean String Symbol BigInt Date Promise RegExp Math JSON Intl"
    .split(" "),
  ..."Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError".split(" "),
  ..."URIError SuppressedError Map Set WeakMap WeakSet Iterator Proxy Reflect Temporal".split(" "),
  ..."ArrayBuffer DataView Uint8Array Int8Array Uint16Array Int16Array Uint32Array".split(" "),
  ..."Int32Array BigUint64Array BigInt64Array Uint8ClampedArray Float16Array".split(" "),
  ..."Float32Array Float64Array DisposableStack AsyncDisposableStack".split(" "),
  ..."parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent encodeURI".split(" "),
  ..."encodeURIComponent escape unescape eval Infinity NaN undefined globalThis".split(" "),
  ..."console crypto".split(" "),
]);

/** What V8 keeps of the last match: one message's data, readable in the next. */
const regExpLegacy = [
  ..."$1 $2 $3 $4 $5 $6 $7 $8 $9 $_ $& $+ $` $' input lastMatch lastParen".split(" "),
  ..."leftContext rightContext".split(" "),
];

const framesMax = 30;

/**
 * Runs once, when every engine module of the realm is evaluated and before any of the author's.
 * `exposed`: what author code gets from "messagefoundry".
 */
export function hardenRealm(exposed: readonly unknown[]): void {
  removeGlobals();
  closeErrors();
  for (const name of regExpLegacy) Reflect.deleteProperty(RegExp, name);
  Reflect.deleteProperty(RegExp.prototype, "compile");
  for (const prototype of overridablePrototypes()) allowOverride(prototype);
  freezeAll([globalThis, ...hiddenIntrinsics(), ...exposed]);
}

function removeGlobals(): void {
  for (const name of Reflect.ownKeys(globalThis)) {
    if (typeof name === "symbol" || keptGlobals.has(name)) continue;
    Reflect.deleteProperty(globalThis, name);
  }
}

/** Without `prepareStackTrace` no call site, and so no frame of the worker, can be looked at. */
function closeErrors(): void {
  const fixed = { writable: false, enumerable: false, configurable: false };
  Object.defineProperty(Error, "prepareStackTrace", { value: undefined, ...fixed });
  Object.defineProperty(Error, "stackTraceLimit", { value: framesMax, ...fixed });
}

/** Intrinsics that no global leads to. */
function hiddenIntrinsics(): readonly object[] {
  const roots: unknown[] = [
    async () => {},
    function* () {},
    async function* () {},
    [][Symbol.iterator](),
    new Map()[Symbol.iterator](),
    new Set()[Symbol.iterator](),
    ""[Symbol.iterator](),
    "".matchAll(/a/g),
    Iterator.from({ next: () => ({ done: true, value: undefined }) }),
    [].values().map((value) => value),
    new Intl.Segmenter().segment(""),
    new Intl.Segmenter().segment("")[Symbol.iterator](),
  ];
  return roots.map((root) => Object.getPrototypeOf(root) as object);
}

/**
 * Prototypes whose properties authors shadow on objects of their own, as `this.name = …` in a
 * subclass of Error does. Frozen data properties would refuse that.
 */
function overridablePrototypes(): readonly object[] {
  const types: readonly { readonly prototype: object }[] = [
    Object,
    Error,
    AggregateError,
    EvalError,
    RangeError,
    ReferenceError,
    SuppressedError,
    SyntaxError,
    TypeError,
    URIError,
  ];
  return types.map((type) => type.prototype);
}

/** Turns each data property into an accessor that lets inheriting objects have their own. */
function allowOverride(prototype: object): void {
  for (const key of Reflect.ownKeys(prototype)) {
    const property = Reflect.getOwnPropertyDescriptor(prototype, key);
    if (property === undefined || !("value" in property) || !property.configurable) continue;
    const { value, enumerable } = property;
    Object.defineProperty(prototype, key, {
      get: () => value,
      set(this: object, own: unknown): void {
        if (this === prototype) throw new TypeError(`Cannot change ${String(key)}: it is shared`);
        Object.defineProperty(this, key, {
          value: own,
          writable: true,
          enumerable: true,
          configurable: true,
        });
      },
      enumerable,
      configurable: false,
    });
  }
}

/** Freezes everything reachable over properties, accessors and prototypes. */
function freezeAll(roots: readonly unknown[]): void {
  const seen = new Set<object>();
  const waiting: unknown[] = [...roots];
  while (waiting.length > 0) {
    const value = waiting.pop();
    const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
    if (!isObject || seen.has(value)) continue;
    seen.add(value);
    Object.freeze(value);
    waiting.push(Object.getPrototypeOf(value));
    for (const key of Reflect.ownKeys(value)) {
      const property = Reflect.getOwnPropertyDescriptor(value, key);
      waiting.push(property?.value, property?.get, property?.set);
    }
  }
}
