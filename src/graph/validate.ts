/**
 * Rules over the whole graph that need no environment: what is declared fits together.
 *
 * Modules were checked as they declared; the same checks run again here, so that what comes from
 * `connections.toml` is held to them with its own lines. Source: spec §4.7 "declare", "validate".
 */
import {
  checkSettings,
  isEnvironmentReference,
  type SettingDirection,
  type TransportSchema,
} from "../authoring/connectors/schema.ts";
import { nameProblem, quoteName } from "../authoring/names.ts";
import { checkInboundOptions, checkOutboundOptions } from "../authoring/options.ts";
import { isOneHost, isTable, nearest } from "../settings/mod.ts";
import type { DeclaredConnection, SourcePosition } from "../sandbox/protocol.ts";
import type { Declared } from "./declared.ts";
import { type Listener, portClashes } from "./ports.ts";
import { type GraphProblem, problemAt, warningAt } from "./problems.ts";
import { transports } from "./transports.ts";

export interface ValidateOptions {
  /** True when a module did not load: names it would have declared are not missed. */
  readonly incomplete: boolean;
}

/** Returns everything wrong with what is declared. */
export function validateDeclared(
  declared: Declared,
  { incomplete }: ValidateOptions,
): readonly GraphProblem[] {
  const problems: GraphProblem[] = [];
  if (!incomplete && declared.inbounds.length === 0 && declared.outbounds.length === 0) {
    problems.push(problemAt(undefined, "The bundle declares no connection"));
  }
  for (const connection of declared.inbounds) {
    problems.push(...connectionProblems(declared, { connection, direction: "in" }));
  }
  for (const connection of declared.outbounds) {
    problems.push(...connectionProblems(declared, { connection, direction: "out" }));
  }
  problems.push(...functionProblems(declared));
  if (!incomplete) problems.push(...unknownRouters(declared));
  problems.push(...unknownReingress(declared));
  if (!incomplete) problems.push(...unfedLoopbacks(declared), ...unknownReferences(declared));
  problems.push(...portClashes(literalListeners(declared)));
  return problems;
}

function connectionProblems(
  declared: Declared,
  { connection, direction }: { connection: DeclaredConnection; direction: SettingDirection },
): readonly GraphProblem[] {
  const side = direction === "in" ? "Inbound" : "Outbound";
  const label = `${side} ${quoteName(connection.name)}`;
  const problems: GraphProblem[] = [];
  const tell = (key: string | undefined, message: string) => {
    problems.push(problemAt(positionOf(declared, connection, key), `${label}: ${message}`));
  };
  const name = nameProblem(connection.name);
  if (name !== undefined) tell(undefined, name);
  const schema = transports.get(connection.type);
  if (schema === undefined) {
    const near = nearest(connection.type, transports.keys());
    const meant = near === undefined ? "" : `; is "${near}" meant?`;
    tell("transport", `transport ${quoteName(connection.type)} is unknown${meant}`);
    return problems;
  }
  if (direction === "out" && schema.inboundOnly === true) {
    tell("transport", `nothing is delivered over transport "${schema.type}"`);
    return problems;
  }
  const malformed = malformedReferences(connection);
  for (const [key, message] of malformed) tell(key, message);
  for (const { key, message } of checkSettings(schema, direction, connection.settings)) {
    if (!malformed.has(key)) tell(key, decapitalise(message));
  }
  for (const message of optionProblems(schema, direction, connection)) {
    tell(/"([a-z0-9_]+)"/.exec(message)?.[1], decapitalise(message));
  }
  return problems;
}

function optionProblems(
  schema: TransportSchema,
  direction: SettingDirection,
  { options }: DeclaredConnection,
): readonly string[] {
  if (direction === "out") return checkOutboundOptions(options);
  const problems = checkInboundOptions(schema, options);
  const { bind_address: address } = options;
  if (typeof address !== "string" || address.trim() === "" || isOneHost(address)) return problems;
  // It becomes a permission, which is good for reaching out as well as for listening.
  return [...problems, 'Option "bind_address" must be one host name or address'];
}

const CASTS: readonly unknown[] = [undefined, "int", "float", "bool", "str"];

/** A table with `env` in it is meant as a reference; a slip in it deserves its own sentence. */
function malformedReferences(connection: DeclaredConnection): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(connection.settings)) {
    if (!isTable(value) || typeof value.env !== "string") continue;
    if (!isEnvironmentReference(value)) {
      found.set(key, `setting "${key}": a reference has "env", "default" and "cast" only`);
    } else if (value.env.trim() === "") {
      found.set(key, `setting "${key}": the reference names no key`);
    } else if (!CASTS.includes(value.cast)) {
      found.set(key, `setting "${key}": "cast" must be one of "int", "float", "bool", "str"`);
    }
  }
  return found;
}

function functionProblems({ routers, handlers }: Declared): readonly GraphProblem[] {
  const problems: GraphProblem[] = [];
  for (const [kind, functions] of [["Router", routers], ["Handler", handlers]] as const) {
    const seen = new Set<string>();
    for (const { name, position } of functions) {
      const reason = nameProblem(name);
      if (reason !== undefined) {
        problems.push(problemAt(position, `${kind} ${quoteName(name)}: ${reason}`));
      }
      if (seen.has(name)) {
        problems.push(problemAt(position, `${kind} ${quoteName(name)} is declared twice`));
      }
      seen.add(name);
    }
  }
  return problems;
}

function unknownRouters(declared: Declared): readonly GraphProblem[] {
  const names = declared.routers.map(({ name }) => name);
  return declared.inbounds.flatMap((connection) => {
    const { router } = connection.options;
    if (typeof router !== "string" || names.includes(router)) return [];
    const near = nearest(router, names);
    const meant = near === undefined ? "" : `; is "${near}" meant?`;
    return [problemAt(
      positionOf(declared, connection, "router"),
      `Inbound ${quoteName(connection.name)}: router ${quoteName(router)} is not defined${meant}`,
    )];
  });
}

/** Replies come back in through a loopback only. */
function unknownReingress(declared: Declared): readonly GraphProblem[] {
  return declared.outbounds.flatMap((connection) => {
    const target = connection.settings.reingress_to;
    if (typeof target !== "string") return [];
    const inbound = declared.inbounds.find(({ name }) => name === target);
    if (inbound?.type === "loopback") return [];
    const reason = inbound === undefined ? "is not defined" : "is not a loopback";
    return [problemAt(
      positionOf(declared, connection, "reingress_to"),
      `Outbound ${quoteName(connection.name)}: "reingress_to" ${quoteName(target)} ${reason}`,
    )];
  });
}

/** A loopback that nobody feeds is no mistake for certain: sends are decided in code. */
function unfedLoopbacks({ inbounds, outbounds, handlers }: Declared): readonly GraphProblem[] {
  const fed = new Set([
    ...outbounds.map(({ settings }) => settings.reingress_to),
    ...handlers.flatMap(({ mentions }) => mentions),
  ]);
  return inbounds.flatMap(({ name, type, position }) =>
    type !== "loopback" || fed.has(name) ? [] : [warningAt(
      position,
      `Inbound ${quoteName(name)}: no outbound names this loopback in "reingress_to" and no ` +
        "handler seems to send to it",
    )]
  );
}

/** `reference("name")` reads what some module declares. */
function unknownReferences({ references, referencesRead }: Declared): readonly GraphProblem[] {
  const names = references.map(({ name }) => name);
  return referencesRead.filter((name) => !names.includes(name)).map((name) => {
    const near = nearest(name, names);
    const meant = near === undefined ? "" : `; is "${near}" meant?`;
    return problemAt(undefined, `Reference ${quoteName(name)} is not declared${meant}`);
  });
}

/** Listeners whose port stands in the declaration; referenced ones are compared once resolved. */
function literalListeners({ inbounds }: Declared): readonly Listener[] {
  return inbounds.flatMap((connection) => {
    const { port } = connection.settings;
    if (typeof port !== "number" || transports.get(connection.type)?.listen !== true) return [];
    const address = connection.options.bind_address;
    return [{
      label: `Inbound ${quoteName(connection.name)}`,
      host: typeof address === "string" ? address : undefined,
      port,
      position: connection.position,
    }];
  });
}

/** Returns the best known place of a key of a connection. */
export function positionOf(
  declared: Declared,
  connection: DeclaredConnection,
  key: string | undefined,
): SourcePosition | undefined {
  const { position } = connection;
  const line = key === undefined ? undefined : declared.lineOf(connection, key);
  return position === undefined || line === undefined ? position : { file: position.file, line };
}

function decapitalise(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
