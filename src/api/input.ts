/**
 * Reads and checks what a request brings, at the edge and nowhere else.
 *
 * Unknown keys are ignored; everything wrong is told at once, shaped as clients expect it (spec api
 * §0): `{ "detail": [{ "type", "loc", "msg", "input" }] }` with status 422.
 */
import type { Context } from "@hono/hono";
import { z } from "zod";
import type { ApiEnv } from "./env.ts";
import { BODY_BYTES_MAX } from "./guards.ts";
import { type InputProblem, Refusal } from "./refusal.ts";
import { queryOf } from "./route_table.ts";

// The fast path of the library makes code from strings, which this process has no use for.
z.config({ jitless: true });

/** How long a client may take to send a body it announced. */
const BODY_LIMIT_MS = 5_000;
/** Longer values are not sent back. */
const SHOWN_CHARS_MAX = 256;

/** At most `max` characters. */
export function text(max: number) {
  return z.string().max(max);
}

/** A whole number in a query. */
export function integer({ min, max }: { min: number; max: number }) {
  return z.string().regex(/^[+-]?\d{1,64}$/, "int_parsing").transform(Number)
    .pipe(z.number().min(min).max(max)).meta({ type: "integer", minimum: min, maximum: max });
}

/** As languages write what they hold in 64 bits: `1750000000.1234567`, `1.75e9`. */
const DECIMAL = /^[+-]?(\d{1,64}(\.\d{0,64})?|\.\d{1,64})(e[+-]?\d{1,3})?$/i;

/** A number in a query. */
export function decimal({ min }: { min: number }) {
  return z.string().regex(DECIMAL, "float_parsing").transform(Number)
    .pipe(z.number().min(min)).meta({ type: "number", minimum: min });
}

/** `limit` and `offset`; out of range is refused, not clamped. */
export const paging = {
  limit: integer({ min: 1, max: 500 }).default(50),
  offset: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }).default(0),
};

/**
 * Reads the query by `schema`; of a repeated key the last value counts, where no list is asked for.
 * @throws {Refusal} 422.
 */
export function readQuery<S extends z.ZodObject>(request: Request, schema: S): z.output<S> {
  const given = new URLSearchParams(queryOf(request));
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema.shape)) {
    const all = given.getAll(key);
    if (value instanceof z.ZodArray) values[key] = all;
    else if (all.length > 0) values[key] = all.at(-1);
  }
  return check(values, { schema, where: "query" });
}

/**
 * Reads the named parts of a path by `schema`.
 * @throws {Refusal} 422.
 */
export function readPath<S extends z.ZodObject>(
  given: Readonly<Record<string, string>>,
  schema: S,
): z.output<S> {
  return check(given, { schema, where: "path" });
}

/**
 * Receives the body; one that says that it is JSON has to be.
 * @throws {Refusal} 422 for what is no JSON; 413 and 408 for what does not end.
 */
export async function receiveBody(c: Context<ApiEnv>): Promise<void> {
  const request = c.req.raw;
  const bytes = await readBytes(request);
  const isEmpty = bytes.length === 0;
  // A form of another site can send text, but not this type.
  const type = request.headers.get("content-type") ?? "";
  const isJson = !isEmpty && /^application\/([a-z0-9.-]+\+)?json\s*(;|$)/i.test(type);
  c.set("body", { isEmpty, isJson, value: isJson ? parseJson(bytes) : undefined });
}

/**
 * Takes the JSON body that was received, by `schema`.
 * @throws {Refusal} 422.
 */
export function takeJson<S extends z.ZodType>(
  c: { readonly var: ApiEnv["Variables"] },
  schema: S,
): z.output<S> {
  const { body } = c.var;
  if (body === undefined || body.isEmpty) throw invalid([missing(["body"])]);
  if (!body.isJson) {
    throw invalid([{
      type: "model_attributes_type",
      loc: ["body"],
      msg: "The body must be JSON, sent as application/json",
      input: null,
    }]);
  }
  return check(body.value, { schema, where: "body" });
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    const msg = "The body is no JSON text";
    throw invalid([{ type: "json_invalid", loc: ["body", 0], msg, input: {} }]);
  }
}

/** The framing guard saw a length; one that is missing (HTTP/2) or lies is found here. */
async function readBytes(request: Request): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {});
  }, BODY_LIMIT_MS);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      length += value.length;
      if (length > BODY_BYTES_MAX) throw new Refusal(413, "The body is too large");
    }
  } catch (thrown) {
    if (thrown instanceof Refusal) throw thrown;
    throw new Refusal(400, "The body ended early", thrown);
  } finally {
    clearTimeout(timer);
  }
  if (isLate) throw new Refusal(408, "The body took too long");
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function check<S extends z.ZodType>(
  value: unknown,
  { schema, where }: { schema: S; where: "query" | "path" | "body" },
): z.output<S> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw invalid(result.error.issues.map((issue) => problemOf(issue, where)));
}

function invalid(problems: readonly InputProblem[]): Refusal {
  return new Refusal(422, problems);
}

function missing(loc: readonly (string | number)[]): InputProblem {
  return { type: "missing", loc, msg: "This is required", input: null };
}

function problemOf(issue: z.core.$ZodIssue, where: string): InputProblem {
  const loc = [where, ...issue.path.map((key) => typeof key === "number" ? key : String(key))];
  if (issue.code === "invalid_type" && issue.input === undefined) return missing(loc);
  return { ...describe(issue), loc, input: shown(issue.input) };
}

function describe(issue: z.core.$ZodIssue): { type: string; msg: string } {
  switch (issue.code) {
    case "invalid_type": {
      const kind = TYPES[issue.expected] ?? issue.expected;
      return { type: `${kind}_type`, msg: `This must be of type ${kind}` };
    }
    case "invalid_format":
      // Only numbers have a format here; its message is the type that clients know.
      return { type: issue.message, msg: "This must be a number" };
    case "too_big":
      if (issue.origin === "array") {
        return { type: "too_long", msg: `This must have at most ${issue.maximum} entries` };
      }
      return issue.origin === "number"
        ? { type: "less_than_equal", msg: `This must be at most ${issue.maximum}` }
        : { type: "string_too_long", msg: `This must have at most ${issue.maximum} characters` };
    case "too_small":
      return issue.origin === "number"
        ? { type: "greater_than_equal", msg: `This must be at least ${issue.minimum}` }
        : { type: "string_too_short", msg: `This must have at least ${issue.minimum} characters` };
    case "invalid_value":
      return { type: "literal_error", msg: `This must be one of ${issue.values.join(", ")}` };
    default:
      return { type: "value_error", msg: issue.message };
  }
}

const TYPES: Readonly<Record<string, string>> = {
  boolean: "bool",
  array: "list",
  object: "dict",
  number: "float",
  int: "int",
};

/** Sends back short plain values only: the rest could be anything, at any length. */
function shown(input: unknown): unknown {
  if (typeof input === "string") return input.length > SHOWN_CHARS_MAX ? null : input;
  return typeof input === "number" || typeof input === "boolean" ? input : null;
}
