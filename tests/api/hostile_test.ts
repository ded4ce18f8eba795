// Goal: whatever anybody sends to any route, nothing breaks, nothing tells whether a user exists, and
// nobody sees a row outside of their channels.
// Method: every route of the table, with bad paths, queries, bodies, headers and tokens, by users held
// to one inbound; the messages of the other inbound hold a name that no answer may hold.
import assert from "node:assert/strict";
import fc from "fast-check";
import { accessTable, declareRoutes } from "../../src/api/app.ts";
import type { ApiContext } from "../../src/api/env.ts";
import { isGrantable, permissions } from "../../src/auth/permissions.ts";
import { seedUser } from "../auth/bench.ts";
import { ShiftedClock } from "../auth/shifted_clock.ts";
import { freePort } from "../connectors/waiting.ts";
import { admission } from "../walk/bench.ts";
import { ApiBench } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";

/** In names, control IDs and errors of what the scoped user may not see, and of what they may. */
const HIDDEN = "ZEBRAFINCH";
const SHOWN = "MAGPIE";

const routes = accessTable(declareRoutes({ engine: {} } as ApiContext).routes);

/** Figures and the audit log name every connection to whoever may see them. Source: spec api §3. */
const UNSCOPED = ["/metrics", "/stats", "/status", "/audit"];

interface Ground {
  readonly bench: ApiBench;
  /** Held to one inbound, with every permission that a role of one's own can have. */
  readonly scoped: ApiClient;
  /** Ids of what is outside of the channels, or somebody else's. */
  readonly foreign: readonly string[];
  /** Tokens that must not open anything. */
  readonly badTokens: readonly string[];
}

async function ground(stack: AsyncDisposableStack): Promise<Ground> {
  const clock = new ShiftedClock();
  const port = await freePort();
  const bench = stack.use(
    await ApiBench.open({
      settings: unlimited,
      clock,
      moreGraph: `inbound("IB_HIDDEN", mllp({ port: ${port} }), { router: route });`,
    }),
  );
  const { walk, lab } = bench;
  const { engine } = walk;
  lab.otherwise = { do: "ack", code: "AR" };
  const expired = await ApiClient.of(bench, "expired", { roles: ["administrator"] });
  clock.pass({ hours: 13 });
  for (const [to, name] of [[port, HIDDEN], [bench.inboundPort, SHOWN]] as const) {
    for (const kind of ["L", "X", "F"]) {
      const body = admission(`${kind}${name}`).replace("SAMPLE", name);
      await walk.exchange(to, body);
    }
    await walk.disposition(`L${name}`, "error");
    await walk.disposition(`X${name}`, "error");
  }
  await engine.pipeline.events.flush();
  for (const [connection, reason] of [["IB_HIDDEN", HIDDEN], ["IB_ADT", SHOWN]]) {
    const values = ["connection_stopped", connection!, "warning", 1e15, 1e15, 1, reason!];
    const changes = [{ name: "alertRaise" as const, values, expect: 1 }];
    await engine.store.submit({ kind: "register", changes, audit: [] });
  }
  const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  const wide = { display_name: "Wide", permissions: permissions.filter(isGrantable) };
  const role = await root.post("/roles/custom", wide);
  assert.equal(role.status, 201, role.text);
  const scoped = await ApiClient.of(bench, "scoped", {
    roles: [String(role.json.id)],
    scope: '["IB_ADT"]',
  });
  const left = await ApiClient.of(bench, "left", { roles: ["administrator"] });
  await left.post("/auth/logout");
  const due = await ApiClient.of(bench, "due", { roles: ["administrator"], mustChange: true });
  const alerts = (await root.get("/alerts/active")).json.alerts!;
  const hiddenAlert = [...alerts].find((alert) => String(alert.connection) === "IB_HIDDEN")!;
  const letters = (await root.get("/dead-letters?channel_id=IB_HIDDEN")).json.dead_letters!;
  const sessions = (await root.get("/me/sessions")).json.sessions!;
  const messages = await walk.summaries();
  const outside = messages.filter(({ channel }) => channel === "IB_HIDDEN");
  assert.equal(outside.length, 3);
  const { token } = scoped;
  return {
    bench,
    scoped,
    foreign: [
      ...outside.map(({ id }) => id),
      String(hiddenAlert.id),
      String(letters[0]!.outbox_id),
      String(sessions[0]!.id),
      await seedUser(engine.store, "victim", { roles: ["administrator"] }),
      String(role.json.id),
      "IB_HIDDEN",
      "OB_LAB",
      "administrator",
    ],
    badTokens: [
      expired.token,
      left.token,
      due.token,
      String(sessions[0]!.id),
      token.slice(0, -1) + (token.endsWith("A") ? "B" : "A"),
      token.toUpperCase(),
      `${token}=`,
      token.slice(1),
      "a".repeat(43),
      "",
    ],
  };
}

const junk = fc.oneof(
  fc.constantFrom(
    ...["", ".", "..", "%2e%2e", "%2f", "%00", "%", "%zz", "%E0%A4%A", ":id", "*", "__proto__"],
    ...["'--", "<x>", "\u{1f4a9}", "0", "-1", "9".repeat(30), "null", "a".repeat(2_000), "\\", "~"],
  ),
  fc.string({ maxLength: 40 }),
);

const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, 0, -1, 1e308, "", "x", "a".repeat(5_000), [], {}, [[]], "\ud800"),
  fc.string(),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Keys that some route reads from its body, so that some bodies get further. */
const BODY_KEYS = [
  ...["channel_id", "destination_name", "config_dir", "dry_run", "all", "targets", "username"],
  ...["password", "provider", "code", "current_password", "new_password", "display_name", "email"],
  ...["roles", "disabled", "channels", "entries", "permissions", "description", "__proto__", "x"],
];

const body = fc.oneof(
  { weight: 1, arbitrary: fc.constant(undefined) },
  {
    weight: 4,
    arbitrary: fc.dictionary(fc.constantFrom(...BODY_KEYS), value, { maxKeys: 5 })
      .map((object) => new TextEncoder().encode(JSON.stringify(object))),
  },
  { weight: 2, arbitrary: value.map((any) => new TextEncoder().encode(JSON.stringify(any))) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("{", "[".repeat(50_000), '{"a":'.repeat(20_000), "{}{}", "\0")
      .map((text) => new TextEncoder().encode(text)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
);

const header = fc.oneof(
  fc.constantFrom(
    "Content-Encoding: gzip",
    "Content-Type: application/json; charset=utf-16",
    "X-HTTP-Method-Override: DELETE",
    "X-Forwarded-For: 127.0.0.1, ::1",
    "X-Forwarded-User: root",
    "X-Original-URL: /users",
    "Cookie: mf_session=x",
    "Range: bytes=0-1",
    "Expect: 100-continue",
    "Accept: */*;q=0",
    "Sec-Fetch-Site: same-origin",
    `X-Long: ${"a".repeat(4_000)}`,
  ),
  fc.stringMatching(/^[\x21-\x7e]{0,30}$/).map((text) => `X-Any: ${text}`),
);

const asked: fc.Arbitrary<Asked> = fc.record({
  route: fc.constantFrom(...routes),
  parts: fc.array(fc.oneof(junk, fc.nat()), { minLength: 3, maxLength: 3 }),
  query: fc.array(
    fc.tuple(
      fc.constantFrom(
        ...["channel_id", "status", "limit", "offset", "kind", "since", "connection", "scope"],
        ...["content", "field_path", "field_value", "target", "scan_limit", "control_id", "x"],
      ),
      fc.oneof(junk, fc.constantFrom("IB_HIDDEN", "MSH", "PID-5", "50", "all")),
    ),
    { maxLength: 3 },
  ),
  body,
  headers: fc.array(header, { maxLength: 3 }),
  /** Which bad token; negative: the good one. */
  token: fc.integer({ min: -12, max: 9 }),
});

Deno.test("no request to any route breaks anything or shows what is hidden", async () => {
  await using stack = new AsyncDisposableStack();
  const { bench, scoped, foreign, badTokens } = await ground(stack);
  const statuses = new Map<number, number>();
  const called = new Set<string>();
  let isShown = false;
  const ask = async (request: Asked) => {
    const { route, headers } = request;
    const bytes = request.body ?? new Uint8Array(0);
    const isGood = request.token < 0;
    const token = isGood ? scoped.token : badTokens[request.token]!;
    const target = targetOf(request, foreign);
    const head = [
      `${route.method} ${target} HTTP/1.1`,
      "Host: localhost",
      "Connection: close",
      `Authorization: Bearer ${token}`,
      "Content-Type: application/json",
      `Content-Length: ${bytes.length}`,
      ...headers,
    ].join("\r\n");
    const { status, text } = await bench.raw(joined(`${head}\r\n\r\n`, bytes), 10_000);
    const sent = `${head}\n${new TextDecoder().decode(bytes)}`;
    const title = sent.slice(0, 500);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    called.add(`${route.method} ${route.path}`);
    const isOurs = status < 500 || (status === 503 && route.path.startsWith("/dr/"));
    assert.ok(status >= 200 && isOurs, `${status}: ${title}`);
    if (text.includes(SHOWN)) isShown = true;
    assert.ok(!text.includes(HIDDEN), `shows what is hidden: ${title}\n${text.slice(0, 600)}`);
    // A redirect says again what was asked.
    if (!UNSCOPED.includes(route.path) && !sent.includes("IB_HIDDEN")) {
      assert.ok(
        !text.includes("IB_HIDDEN"),
        `names what is hidden: ${title}\n${text.slice(0, 600)}`,
      );
    }
    const { mode } = route.access;
    const isRouted = status !== 404 && status !== 405 && status !== 307 && status !== 400;
    if (!isGood && mode !== "P" && mode !== "O" && isRouted) {
      // The one whose password is due is known and gets no further.
      const wanted = token === badTokens[2] ? [401, 403, 422] : [401, 422];
      const isOpen = token === badTokens[2] && route.access.isOpenWhilePasswordIsDue;
      assert.ok(isOpen || wanted.includes(status), `${status}: ${title}`);
    }
    // Some of it signs out, or changes what a session stands on.
    if (isGood && (status === 401 || route.path.startsWith("/auth/logout"))) {
      await scoped.signIn();
    }
  };
  // Each route at least once with the good token and a foreign id, then whatever comes.
  for (const route of routes) {
    for (let at = 0; at < foreign.length; at++) {
      if (!route.path.includes(":") && at > 0) break;
      const part = at as string | number;
      const parts = [part, part, part];
      await ask({ route, parts, query: [], body: undefined, headers: [], token: -1 });
    }
  }
  await fc.assert(fc.asyncProperty(asked, ask), { numRuns: 1_000 });
  assert.equal(called.size, routes.length);
  assert.ok(isShown, "what may be seen was seen");
  for (const status of [200, 401, 403, 404, 422]) assert.ok(statuses.has(status), `no ${status}`);
  assert.ok(!bench.walk.log.some((line) => line.includes("internal_error")));
  assert.ok(!bench.walk.log.some((line) => line.includes(HIDDEN)), "nor does the log");
  await scoped.signIn();
  assert.equal((await scoped.get("/auth/me")).status, 200);
});

interface Asked {
  readonly route: (typeof routes)[number];
  /** A number names a foreign id. */
  readonly parts: readonly (string | number)[];
  readonly query: readonly (readonly [string, string])[];
  readonly body: Uint8Array | undefined;
  readonly headers: readonly string[];
  readonly token: number;
}

/** Path and query; what cannot stand in a request line as it is, is encoded. */
function targetOf({ route, parts, query }: Asked, foreign: readonly string[]): string {
  const left = parts.map((part) =>
    typeof part === "number" ? foreign[part % foreign.length]! : part
  );
  const path = route.path.replace(/:\w+/g, () => left.shift() ?? "");
  const search = query.map(([key, text]) => `${key}=${encodeURIComponent(text.toWellFormed())}`);
  const target = encodeURI(path.toWellFormed()).replaceAll("%25", "%");
  return search.length === 0 ? target : `${target}?${search.join("&")}`;
}

function joined(head: string, bytes: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(head);
  const whole = new Uint8Array(text.length + bytes.length);
  whole.set(text);
  whole.set(bytes, text.length);
  return whole;
}
