/**
 * Bounds on what one call of a built-in may cost, where the time limit does not reach.
 *
 * A few built-ins run for minutes or end the whole process when they are given something huge, for
 * V8 looks at its clock and its heap only between the steps of a script. They get a bound here:
 * texts and lists of 32 Mi, and 256 MiB of buffers a message. Everything an HL7 engine handles is
 * far below. Memory in small pieces is bounded by the time limit alone.
 */

/** UTF-16 units of a text, and elements of a list, that a bounded built-in takes or makes. */
export const lengthMax = 2 ** 25;
/** Bytes of array buffers that one message may ask for, released or not. */
export const bufferBytesMax = 256 * 1024 * 1024;

// The unbounded ones, for the bounded ones to use.
const { apply, construct } = Reflect;

let bytesLeft = bufferBytesMax;

/** Called before each message. */
export function renewBudget(): void {
  bytesLeft = bufferBytesMax;
}

/** Replaces the built-ins; runs before the realm is hardened. */
export function installLimits(): void {
  boundTexts();
  boundLists();
  boundBuffers();
}

type Native = (this: unknown, ...values: unknown[]) => unknown;

function boundTexts(): void {
  const owner: object = String.prototype;
  for (const name of ["split", "replace", "replaceAll", "match", "matchAll", "normalize"]) {
    replace(owner, name, (native) => ({
      [name](this: unknown, first: unknown, second: unknown): unknown {
        if (typeof this === "string" && this.length > lengthMax) throw tooLong(name);
        return native.call(this, first, second);
      },
    }));
  }
  for (const name of ["repeat", "padStart", "padEnd"]) {
    replace(owner, name, (native) => ({
      [name](this: unknown, count: unknown, filler: unknown): unknown {
        const length = name === "repeat" ? String(this).length * Number(count) : Number(count);
        if (length > lengthMax) throw tooLong(name);
        return native.call(this, count, filler);
      },
    }));
  }
  replace(JSON, "parse", (native) => ({
    parse(text: unknown, reviver: unknown): unknown {
      if (typeof text === "string" && text.length > lengthMax) throw tooLong("parse");
      if (typeof reviver !== "function") return parseJson(native, text);
      // What a reviver throws is the author's own, so the text is looked at without it first.
      parseJson(native, text);
      return native.call(JSON, text, reviver);
    },
  }));
}

/** V8's own words quote the text, and with it a patient's data, so only the place is passed on. */
function parseJson(parse: Native, text: unknown): unknown {
  try {
    return parse.call(JSON, text);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    const place = / at position \d+(?: \(line \d+ column \d+\))?$/.exec(thrown.message)?.[0] ?? "";
    throw new SyntaxError(`Cannot read text as JSON${place}`);
  }
}

/** Methods that walk a list from end to end, holes included. */
const walking = [
  ..."concat copyWithin fill flat includes indexOf join lastIndexOf reduce reduceRight".split(" "),
  ..."reverse shift sort splice toReversed toSorted toSpliced unshift with".split(" "),
];

/** Those with two parameters at most. The hot ones are among them, so they spare the rest parameter. */
const walkingWithTwo = [
  ..."every filter find findIndex findLast findLastIndex flatMap forEach map slice some".split(" "),
];

function boundLists(): void {
  for (const name of walking) {
    replace(Array.prototype, name, (native) => ({
      [name](this: unknown, ...values: unknown[]): unknown {
        if (lengthOf(this) > lengthMax) throw tooLong(name);
        return apply(native, this, values);
      },
    }));
  }
  for (const name of walkingWithTwo) {
    replace(Array.prototype, name, (native) => ({
      [name](this: unknown, first: unknown, second: unknown): unknown {
        if (lengthOf(this) > lengthMax) throw tooLong(name);
        return native.call(this, first, second);
      },
    }));
  }
  // The joining of segments and fields is the hot one, so it spares the rest parameter, too.
  replace(Array.prototype, "join", (native) => ({
    join(this: unknown, separator: unknown): unknown {
      if (lengthOf(this) > lengthMax) throw tooLong("join");
      return native.call(this, separator);
    },
  }));
  for (const owner of [Object, Reflect]) {
    for (const name of ["keys", "values", "entries", "ownKeys", "getOwnPropertyNames"]) {
      boundOwnKeys(owner, name);
    }
    boundOwnKeys(owner, "getOwnPropertyDescriptors");
  }
  replace(Object, "assign", (native) => ({
    assign(target: unknown, ...sources: unknown[]): unknown {
      for (const source of sources) if (keysOf(source) > lengthMax) throw tooLong("assign");
      return native.call(Object, target, ...sources);
    },
  }));
  replace(String, "raw", (native) => ({
    raw(template: { readonly raw?: unknown }, ...values: unknown[]): unknown {
      if (lengthOf(template?.raw) > lengthMax) throw tooLong("raw");
      return native.call(String, template, ...values);
    },
  }));
  replace(Array, "from", (native) => ({
    from(this: unknown, items: unknown, map: unknown, self: unknown): unknown {
      if (lengthOf(items) > lengthMax) throw tooLong("from");
      return native.call(this, items, map, self);
    },
  }));
  replace(Reflect, "apply", (native) => ({
    apply(target: unknown, self: unknown, values: unknown): unknown {
      if (lengthOf(values) > lengthMax) throw tooLong("apply");
      return native(target, self, values);
    },
  }));
}

function boundOwnKeys(owner: object, name: string): void {
  replace(owner, name, (native) => ({
    [name](target: unknown): unknown {
      if (keysOf(target) > lengthMax) throw tooLong(name);
      return native.call(owner, target);
    },
  }));
}

/** A text has a key for each of its units, and an array of bytes for each of its elements. */
function keysOf(value: unknown): number {
  const hasKeyEach = typeof value === "string" || value instanceof String ||
    ArrayBuffer.isView(value);
  return hasKeyEach ? lengthOf(value) : 0;
}

function boundBuffers(): void {
  boundConstructor("ArrayBuffer", (values) => charge(Number(values[0])));
  const types = [Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array]
    .concat([Uint8ClampedArray, Float16Array, Float32Array, Float64Array] as never[])
    .concat([BigUint64Array, BigInt64Array] as never[]);
  for (const type of types) {
    const { name, BYTES_PER_ELEMENT: bytes } = type;
    boundConstructor(name, ([source]) => {
      if (source instanceof ArrayBuffer) return;
      charge(bytes * (typeof source === "object" ? lengthOf(source) : Number(source ?? 0)));
    });
  }
  for (const name of ["fromBase64", "fromHex"]) {
    replace(Uint8Array, name, (native) => ({
      [name](this: unknown, text: unknown, options: unknown): unknown {
        charge(lengthOf(text));
        return native.call(this, text, options);
      },
    }));
  }
  // These make their copy without a look at the constructor.
  for (const name of ["toReversed", "toSorted", "with"]) {
    replace(Object.getPrototypeOf(Uint8Array.prototype) as object, name, (native) => ({
      [name](this: unknown, ...values: unknown[]): unknown {
        charge(ArrayBuffer.isView(this) ? this.byteLength : 0);
        return apply(native, this, values);
      },
    }));
  }
  for (const name of ["resize", "transfer", "transferToFixedLength"]) {
    replace(ArrayBuffer.prototype, name, (native) => ({
      [name](this: unknown, length: unknown): unknown {
        charge(Number(length ?? lengthOf(this)));
        return length === undefined ? native.call(this) : native.call(this, length);
      },
    }));
  }
}

function charge(bytes: number): void {
  if (!(bytes > 0)) return;
  bytesLeft -= bytes;
  if (bytesLeft < 0) {
    throw new RangeError(`Cannot make buffer: one message may ask for ${bufferBytesMax} bytes`);
  }
}

function lengthOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  return Number((value as { length?: unknown }).length ?? 0);
}

function tooLong(name: string): RangeError {
  return new RangeError(`Cannot call ${name}(): more than ${lengthMax} characters or elements`);
}

/** Puts what `make` returns in the place of `owner[name]`, when there is such a built-in. */
function replace(
  owner: object,
  name: string,
  make: (native: Native) => Readonly<Record<string, unknown>>,
): void {
  const property = Reflect.getOwnPropertyDescriptor(owner, name);
  if (typeof property?.value !== "function") return;
  const native = property.value as Native;
  const bounded = make(native)[name] as Native;
  Object.defineProperty(bounded, "length", { value: native.length, configurable: true });
  Object.defineProperty(owner, name, { ...property, value: bounded });
}

/** Puts a constructor that checks its arguments first in the place of a global one. */
function boundConstructor(name: string, check: (values: readonly unknown[]) => void): void {
  const native = Reflect.get(globalThis, name) as { prototype: object };
  const bounded = new Proxy(native as unknown as new (...values: unknown[]) => object, {
    construct(target, values, newTarget) {
      check(values);
      return construct(target, values, newTarget) as object;
    },
    apply(target, self, values) {
      check(values);
      return apply(target as unknown as Native, self, values);
    },
  });
  Object.defineProperty(native.prototype, "constructor", {
    value: bounded,
    writable: true,
    enumerable: false,
    configurable: true,
  });
  Object.defineProperty(globalThis, name, {
    value: bounded,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}
