import assert from "node:assert/strict";
import { PASSWORD, seedUser } from "../auth/bench.ts";
import { ApiBench } from "./bench.ts";
import { unlimited } from "./client.ts";

// Goal: an API behind a trusted proxy takes any name, tells browsers to keep to TLS, and knows each
// client by its own address; one without keeps to loopback.

const proxied = `${unlimited}[api]\ntrusted_proxies = ["127.0.0.1"]\n` +
  'tls_terminated_upstream = true\npublic_origin = "https://engine.example.org"\n';

const ask = (bench: ApiBench, ...headers: string[]) =>
  bench.raw(["GET /health HTTP/1.1", ...headers, "Connection: close", "", ""].join("\r\n"));

Deno.test("behind a proxy any Host is served, and only its own origin or the public one", async () => {
  await using bench = await ApiBench.open({ settings: proxied });
  const host = "Host: engine.example.org";
  const plain = await ask(bench, host);
  assert.equal(plain.status, 200);
  assert.match(plain.text, /strict-transport-security: max-age=31536000; includeSubDomains\r\n/);
  for (const origin of ["https://engine.example.org", "http://engine.example.org"]) {
    assert.equal((await ask(bench, host, `Origin: ${origin}`)).status, 200, origin);
  }
  for (const origin of ["https://evil.example", "null", "", "http://localhost:1"]) {
    assert.equal((await ask(bench, host, `Origin: ${origin}`)).status, 403, origin);
  }
  assert.equal((await ask(bench, host, "Sec-Fetch-Site: cross-site")).status, 403);
  const internal = await ask(bench, "Host: inner:8765", "Origin: https://engine.example.org");
  assert.equal(internal.status, 200, "the proxy may name the engine otherwise");
});

Deno.test("without sign-in a proxy opens nothing: other names stay refused", async () => {
  await using bench = await ApiBench.open({ settings: proxied.replace(unlimited, "") });
  assert.equal((await ask(bench, "Host: engine.example.org")).status, 421);
});

Deno.test("on loopback there is no word of TLS, and sign-in alone opens no other name", async () => {
  await using bench = await ApiBench.open({ settings: unlimited });
  assert.equal((await ask(bench, "Host: engine.example.org")).status, 421);
  const plain = await ask(bench, "Host: localhost", "X-Forwarded-Proto: https");
  assert.doesNotMatch(plain.text, /strict-transport-security/);
});

Deno.test("sessions, limits and the audit log know the client, not the proxy", async () => {
  await using bench = await ApiBench.open({
    settings: '[auth]\nlogin_rate_limit_per_ip = 2\n[api]\ntrusted_proxies = ["127.0.0.1"]\n',
  });
  await seedUser(bench.walk.engine.store, "ann");
  const login = (forwarded: string, password = PASSWORD) =>
    bench.request("/auth/login", {
      method: "POST",
      headers: { "content-type": "application/json", "x-forwarded-for": forwarded },
      body: JSON.stringify({ username: "ann", password }),
    });
  const { token } = (await login("203.0.113.5")).json;
  const headers = { authorization: `Bearer ${token}` };
  const { sessions } = (await bench.request("/me/sessions", { headers })).json;
  assert.deepEqual([...sessions!].map(({ client, current }) => [client, current]), [
    ["203.0.113.5", true],
  ]);
  // What stands in front of the proxy's own entry makes no other client of it.
  assert.equal((await login("1.1.1.1, 203.0.113.5", "x")).status, 401);
  assert.equal((await login("2.2.2.2, 203.0.113.5")).status, 429);
  assert.equal((await login("203.0.113.6")).status, 200);
  const rows = await bench.walk.engine.store.register("auditOfActor", "ann", 10);
  assert.deepEqual(rows.map(({ detail }) => JSON.parse(String(detail)).client), [
    "203.0.113.6",
    "203.0.113.5",
    "203.0.113.5",
  ]);
});
