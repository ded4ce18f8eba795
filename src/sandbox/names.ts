/**
 * Names that both sides of the boundary know from the load, so that a small number crosses for each.
 *
 * A name that is in no list crosses as it is: a request may name a router that is gone.
 */

/** A name as it crosses: its index in a list, or itself. */
export type NameCode = number | string;

/** One list of names, the same on both sides. */
export class NameList {
  readonly #names: readonly string[];
  readonly #indexes: ReadonlyMap<string, number>;

  constructor(names: Iterable<string>) {
    this.#names = [...new Set(names)];
    this.#indexes = new Map(this.#names.map((name, index) => [name, index]));
  }

  codeOf(name: string): NameCode {
    return this.#indexes.get(name) ?? name;
  }

  /** @throws {TypeError} when `code` is neither text nor an index of the list. */
  nameOf(code: unknown): string {
    const name = typeof code === "number" ? this.#names[code] : code;
    if (typeof name !== "string") throw new TypeError("A name crossed that no list holds");
    return name;
  }
}

/** The lists of one load. */
export interface NameBook {
  readonly inbounds: NameList;
  readonly routers: NameList;
  readonly handlers: NameList;
  /** The modules' outbounds and loopbacks, then those of `connections.toml`. */
  readonly destinations: NameList;
  readonly contentTypes: NameList;
}

interface Named {
  readonly name: string;
}

/** Makes the lists from what a load declared; `outboundNames` are those of `connections.toml`. */
export function makeNameBook(
  registry: {
    readonly inbounds: readonly (Named & { readonly type?: string })[];
    readonly outbounds: readonly Named[];
    readonly routers: readonly Named[];
    readonly handlers: readonly Named[];
  },
  outboundNames: readonly string[],
): NameBook {
  const listOf = (named: readonly Named[]) => new NameList(named.map(({ name }) => name));
  return {
    inbounds: listOf(registry.inbounds),
    routers: listOf(registry.routers),
    handlers: listOf(registry.handlers),
    destinations: new NameList(destinationsOf(registry, outboundNames)),
    contentTypes: new NameList(["hl7v2"]),
  };
}

/** Whatever a handler may send to. */
export function destinationsOf(
  { inbounds, outbounds }: {
    readonly inbounds: readonly (Named & { readonly type?: string })[];
    readonly outbounds: readonly Named[];
  },
  others: readonly string[],
): readonly string[] {
  const loopbacks = inbounds.filter(({ type }) => type === "loopback");
  return [...[...outbounds, ...loopbacks].map(({ name }) => name), ...others];
}
