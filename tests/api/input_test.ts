import assert from "node:assert/strict";
import fc from "fast-check";
import { type Answer, ApiBench, type Json } from "./bench.ts";

// Goal: whatever comes in is answered with a body of the contract, and never with 500.

/** What is wrong, as `loc type`. */
function problems({ json }: Answer): string[] {
  return [...json.detail!].map(({ loc, type }) => `${[...loc!].join(".")} ${type}`);
}

Deno.test("bounds of queries are refused with 422, not clamped", async () => {
  await using bench = await ApiBench.open();
  const long = "a".repeat(257);
  const cases: Record<string, string> = {
    "/messages?limit=0": "query.limit greater_than_equal",
    "/messages?limit=501": "query.limit less_than_equal",
    "/messages?limit=-1": "query.limit greater_than_equal",
    "/messages?limit=": "query.limit int_parsing",
    "/messages?limit=ten": "query.limit int_parsing",
    "/messages?limit=1e2": "query.limit int_parsing",
    "/messages?limit=1.5": "query.limit int_parsing",
    "/messages?limit=0x10": "query.limit int_parsing",
    "/messages?limit=50&limit=999": "query.limit less_than_equal",
    "/messages?limit=99999999999999999999": "query.limit less_than_equal",
    "/messages?offset=-1": "query.offset greater_than_equal",
    "/messages?offset=99999999999999999999": "query.offset less_than_equal",
    [`/messages?channel_id=${long}`]: "query.channel_id string_too_long",
    [`/messages?control_id=${long}`]: "query.control_id string_too_long",
    [`/messages?status=${"a".repeat(65)}`]: "query.status string_too_long",
    [`/messages?message_type=${"a".repeat(65)}`]: "query.message_type string_too_long",
    "/dead-letters?limit=501": "query.limit less_than_equal",
    [`/dead-letters?destination_name=${long}`]: "query.destination_name string_too_long",
    "/events?limit=1001": "query.limit less_than_equal",
    "/events?since=-1": "query.since greater_than_equal",
    "/events?since=now": "query.since float_parsing",
    "/events?since=": "query.since float_parsing",
    "/events?since=0x10": "query.since float_parsing",
    "/events?since=NaN": "query.since float_parsing",
    "/events?since=Infinity": "query.since float_parsing",
    "/events?since=1e999": "query.since float_type",
    [`/events?connection=${long}`]: "query.connection string_too_long",
    [`/events?${"kind=closed&".repeat(33)}`]: "query.kind too_long",
    "/connections/x/events?limit=0": "query.limit greater_than_equal",
  };
  for (const [path, problem] of Object.entries(cases)) {
    const answer = await bench.request(path);
    assert.equal(answer.status, 422, path);
    assert.deepEqual(problems(answer), [problem], path);
    for (const entry of answer.json.detail!) {
      assert.deepEqual(Object.keys(entry).sort(), ["input", "loc", "msg", "type"]);
    }
  }
  const both = await bench.request("/messages?limit=0&offset=-1");
  assert.equal(problems(both).length, 2);
  for (const path of ["/messages?limit=500", "/messages?limit=1&offset=0", "/events?limit=1000"]) {
    assert.equal((await bench.request(path)).status, 200, path);
  }
  for (
    const since of ["1750000000.12345678901", "1.75e9", "1.75E+9", "1e-7", ".5", "5.", "1e300"]
  ) {
    const path = `/events?since=${encodeURIComponent(since)}`;
    assert.equal((await bench.request(path)).status, 200, path);
  }
  const scope = await bench.post("/connections/OB_LAB/purge?scope=ALL");
  assert.deepEqual([scope.status, problems(scope)], [422, ["query.scope literal_error"]]);
});

Deno.test("bodies that are missing, no JSON or of the wrong shape are 422", async () => {
  await using bench = await ApiBench.open();
  const json = { "content-type": "application/json" };
  const send = (path: string, body: BodyInit | undefined, headers: HeadersInit = json) =>
    bench.request(path, { method: "POST", body, headers });
  const replay = "/dead-letters/replay";
  const reset = "/statistics/reset";

  assert.deepEqual(problems(await send(replay, undefined)), ["body missing"]);
  assert.deepEqual(problems(await send(replay, "")), ["body missing"]);
  for (const text of ["{", "nope", "{'a':1}", "\0", "[1,]", "{}{}", '"\\ud800"x']) {
    assert.deepEqual(problems(await send(replay, text)), ["body.0 json_invalid"], text);
  }
  const notUtf8 = Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d);
  assert.deepEqual(problems(await send(replay, notUtf8)), ["body.0 json_invalid"]);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]) {
    const answer = await send(replay, "{}", { "content-type": type });
    assert.deepEqual(problems(answer), ["body model_attributes_type"], type);
  }
  for (
    const type of ["application/json; charset=utf-8", "Application/JSON", "application/x+json"]
  ) {
    assert.equal((await send(replay, "{}", { "content-type": type })).status, 200, type);
  }
  const wrong: [string, unknown, string[]][] = [
    [replay, null, ["body dict_type"]],
    [replay, [], ["body dict_type"]],
    [replay, "x", ["body dict_type"]],
    [replay, { channel_id: 5 }, ["body.channel_id string_type"]],
    [replay, { channel_id: "a".repeat(257) }, ["body.channel_id string_too_long"]],
    [replay, { destination_name: {} }, ["body.destination_name string_type"]],
    [reset, { all: "yes" }, ["body.all bool_type"]],
    [reset, { targets: {} }, ["body.targets list_type"]],
    [reset, { targets: [5] }, ["body.targets.0 dict_type"]],
    [reset, { targets: [{ role: "other", channel_id: "a" }] }, [
      "body.targets.0.role literal_error",
    ]],
    [reset, { targets: [{ role: "source" }] }, ["body.targets.0.channel_id missing"]],
    [reset, { targets: [{ role: "source", channel_id: "" }] }, [
      "body.targets.0.channel_id string_too_short",
    ]],
    [reset, { targets: [{ role: "destination", channel_id: "a" }] }, [
      "body.targets.0.destination value_error",
    ]],
  ];
  for (const [path, body, expected] of wrong) {
    const answer = await bench.post(path, body);
    assert.deepEqual([answer.status, problems(answer)], [422, expected], JSON.stringify(body));
  }
  const echoed = await bench.post(reset, {
    targets: [{ role: "secret".repeat(100), channel_id: "a" }],
  });
  assert.equal(echoed.json.detail![0]!.input, null, "long values are not sent back");
});

Deno.test("deep and wide bodies cost nothing and break nothing", async () => {
  await using bench = await ApiBench.open();
  const send = (body: string) =>
    bench.request("/dead-letters/replay", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
  const deep = 500_000;
  const bodies: [string, number][] = [
    [`${"[".repeat(deep)}${"]".repeat(deep)}`, 422],
    [`{"x":${"[".repeat(deep)}${"]".repeat(deep)}}`, 200],
    [`{"a":`.repeat(150_000) + "1" + "}".repeat(150_000), 200],
    ["[".repeat(1_000_000), 422],
    [`{"channel_id":${"[".repeat(deep)}${"]".repeat(deep)}}`, 422],
    [`{${Array.from({ length: 60_000 }, (_, i) => `"k${i}":1`).join()}}`, 200],
    ['{"__proto__":{"channel_id":"x"},"constructor":1}', 200],
    [`{"channel_id":"${"\\u0000".repeat(200)}"}`, 200],
    ['{"channel_id":"\\ud800"}', 200],
  ];
  for (const [body, status] of bodies) {
    const answer = await send(body);
    assert.equal(answer.status, status, body.slice(0, 40));
    assert.ok(answer.text.length < 2_000);
  }
  const many = await bench.post("/statistics/reset", {
    targets: Array.from({ length: 10_000 }, () => ({ role: "source", channel_id: "IB_ADT" })),
  });
  assert.deepEqual(many.json, { reset: 1 });
});

const METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "FOO"];
const WORDS = [
  "alerts",
  "active",
  "ack",
  "resolve",
  "1",
  "health",
  "stats",
  "status",
  "connections",
  "channels",
  "messages",
  "dead-letters",
  "events",
  "metrics",
  "statistics",
  "reset",
  "replay",
  "outbound",
  "purge",
  "test",
  "start",
  "metadata",
  "IB_ADT",
  "OB_LAB",
  "",
  ".",
  "..",
  "%2e%2e",
  "%2f",
  "%5c",
  "%00",
  "%",
  "%zz",
  "%E0%A4%A",
  ":name",
  "*",
  "__proto__",
  "a".repeat(3000),
  "é",
  "\u{1f4a9}",
  "//",
  "\\",
  ";x=1",
  "~",
  "'--",
  "<x>",
];
const KEYS = [
  "limit",
  "offset",
  "channel_id",
  "status",
  "message_type",
  "control_id",
  "destination_name",
  "kind",
  "since",
  "connection",
  "scope",
  "__proto__",
  "x",
];

/** Everything after the first line of a request that may be a header, good or bad. */
const headerLine = fc.oneof(
  fc.constantFrom(
    "Content-Type: application/json",
    "Content-Type: text/html",
    "Accept-Encoding: gzip, br, *;q=0",
    "Expect: 100-continue",
    "Range: bytes=0-1",
    "If-None-Match: *",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Authorization: Bearer x",
    "X-HTTP-Method-Override: DELETE",
    "X-Forwarded-For: 1.2.3.4",
    "X-Forwarded-Host: evil.example",
    "X-Original-URL: /messages",
    "Origin: http://localhost:1",
    "Origin: null",
    "Cookie: a=b",
    "Referer: http://evil.example",
  ),
  fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,20}$/), fc.stringMatching(/^[\x20-\x7e]{0,40}$/))
    .map(([name, value]) => `X-${name}: ${value}`),
);

const ROUTES = [
  "alerts/active",
  "alerts/rules",
  "alerts/:/ack",
  "alerts/:/resolve",
  "health",
  "stats",
  "status",
  "metrics",
  "channels",
  "connections",
  "events",
  "messages",
  "dead-letters",
  "dead-letters/replay",
  "statistics/reset",
  "messages/:/outbound",
  "messages/:",
  "messages/:/replay",
  "connections/:/metadata",
  "connections/:/events",
  "connections/:/start",
  "connections/:/stop",
  "connections/:/restart",
  "connections/:/purge",
];

const path = fc.oneof(
  fc.array(fc.constantFrom(...WORDS), { maxLength: 5 }),
  fc.tuple(fc.constantFrom(...ROUTES), fc.constantFrom(...WORDS))
    .map(([route, word]) => route.replace(":", () => word).split("/")),
);

const request = fc.record({
  method: fc.oneof(fc.constantFrom("GET", "POST"), fc.constantFrom(...METHODS)),
  path,
  query: fc.array(
    fc.tuple(
      fc.constantFrom(...KEYS),
      fc.oneof(
        fc.string({ maxLength: 300 }),
        fc.integer().map(String),
        fc.constantFrom("%", "%ff"),
      ),
    ),
    { maxLength: 4 },
  ),
  headers: fc.array(headerLine, { maxLength: 4 }),
  body: fc.oneof(fc.constant(undefined), fc.json({ maxDepth: 6 }), fc.string({ unit: "binary" })),
});

Deno.test("no request of any shape is answered with 500", async () => {
  await using bench = await ApiBench.open();
  await bench.send("L1", "X2");
  await bench.walk.drained();
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, query, headers, body }) => {
      const target = encodeURI(`/${path.join("/")}`.toWellFormed()).replaceAll("%25", "%");
      const search = query.map(([key, value]) => `${key}=${encodeURI(value.toWellFormed())}`);
      const bytes = new TextEncoder().encode(body ?? "");
      const lines = [
        `${method} ${target}${search.length === 0 ? "" : `?${search.join("&")}`} HTTP/1.1`,
        "Host: localhost",
        "Connection: close",
        ...headers,
        ...(body === undefined ? [] : [`Content-Length: ${bytes.length}`]),
      ];
      const head = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
      const whole = new Uint8Array(head.length + bytes.length);
      whole.set(head);
      whole.set(bytes, head.length);
      const { status, text } = await bench.raw(whole);
      seen.set(status, (seen.get(status) ?? 0) + 1);
      assert.ok(status >= 200 && status < 500, `${lines[0]}: ${text.slice(0, 300)}`);
      if (status >= 400 && method !== "HEAD" && text.includes("nosniff")) {
        const [, answer = ""] = text.split(/\r\n\r\n/);
        const { detail } = JSON.parse(answer) as Record<string, Json>;
        assert.ok(typeof detail === "string" || Array.isArray(detail));
      }
    }),
    { numRuns: 600 },
  );
  assert.deepEqual((await bench.get("/health")).status, "ok");
  assert.ok(!bench.walk.log.some((line) => line.includes("internal_error")));
  for (const status of [200, 403, 404, 405, 422]) {
    assert.ok(seen.has(status), `no ${status} was seen`);
  }
});

// Goal: a name that is spelled like a pattern's part is a name, and its route runs once.
Deno.test("names that look like patterns are names", async () => {
  await using bench = await ApiBench.open();
  for (const name of [":name", "*", "{x}", ":name{.+}", "a*", "%3Aname", "%2A", "__proto__"]) {
    for (const act of ["stop", "purge"]) {
      const { status, json } = await bench.post(`/connections/${name}/${act}`);
      assert.deepEqual([status, json.detail], [404, "No connection has this name"], name);
    }
  }
});

Deno.test("no filter finds what it does not name, whatever it holds", async () => {
  await using bench = await ApiBench.open();
  await bench.send("L1", "F2", "U3");
  await bench.walk.drained();
  const filter = fc.constantFrom("channel_id", "status", "message_type", "control_id");
  const value = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.constantFrom("' OR 1=1 --", "%", "_", "*", "NULL", "ib_adt", "IB_ADT ", "L1\0", "0"),
  );
  await fc.assert(
    fc.asyncProperty(filter, value, async (key, text) => {
      fc.pre(!["IB_ADT", "L1", "F2", "U3"].includes(text));
      const page = await bench.get(`/messages?${key}=${encodeURIComponent(text)}`);
      assert.deepEqual([page.total, [...page.messages!]], [0, []]);
    }),
    { numRuns: 200 },
  );
});
