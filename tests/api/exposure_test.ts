import assert from "node:assert/strict";
import type { Arrival } from "../../src/api/arrival.ts";
import { Exposure, TrustedProxies } from "../../src/api/exposure.ts";
import { refusalOf } from "../../src/api/guards.ts";
import { loadSettings } from "../../src/settings/mod.ts";

function exposure(lines: string): Exposure {
  const file = { path: "messagefoundry.toml", text: `[api]\n${lines}` };
  return new Exposure(loadSettings({ file }).settings.api);
}

const behindProxy =
  'tls_terminated_upstream = true\ntrusted_proxies = ["10.0.0.1", "10.1.0.0/16"]\n';

function arrival(peer: string, isTls = false): Arrival {
  return {
    peer,
    isTls,
    upgrade: () => {
      throw new TypeError("no WebSocket");
    },
  };
}

Deno.test("TrustedProxies holds addresses and networks of both families", () => {
  const proxies = new TrustedProxies(["10.0.0.1", "10.1.0.0/16", "fd00::1", "fd01::/16"]);
  for (const peer of ["10.0.0.1", "::ffff:10.0.0.1", "10.1.9.9", "fd00::1", "fd01:2::3%eth0"]) {
    assert.ok(proxies.trusts(peer), peer);
  }
  for (
    const peer of ["10.0.0.2", "10.2.0.1", "fd00::2", "fe80::1", "localhost", "", "10.0.0.1, x"]
  ) {
    assert.equal(proxies.trusts(peer), false, peer);
  }
  assert.equal(new TrustedProxies([]).trusts("127.0.0.1"), false, "empty trusts nobody");
});

// Source: spec api §0.2. A client must not get the header by a header of its own.
Deno.test("browsers are held to TLS where there is TLS, and only a trusted proxy can say so", () => {
  const wants = (lines: string, from: Arrival, proto?: string) =>
    exposure(lines).wantsStrictTransport(
      new Headers(proto === undefined ? {} : { "x-forwarded-proto": proto }),
      from,
    );
  const trusted = 'trusted_proxies = ["10.0.0.1"]\n';
  assert.equal(wants("", arrival("127.0.0.1")), false);
  assert.equal(wants("", arrival("127.0.0.1", true)), true);
  assert.equal(wants('tls_cert_file = "/etc/mf.pem"\n', arrival("127.0.0.1")), true);
  assert.equal(wants(behindProxy, arrival("192.0.2.1")), true);
  assert.equal(wants(trusted, arrival("10.0.0.1"), "https"), true);
  assert.equal(wants(trusted, arrival("10.0.0.1"), "http"), false);
  assert.equal(wants(trusted, arrival("10.0.0.1")), false);
  assert.equal(wants(trusted, arrival("10.0.0.2"), "https"), false, "not from a stranger");
  assert.equal(wants("", arrival("127.0.0.1"), "https"), false);
  assert.equal(wants(trusted, arrival("10.0.0.1"), "https, http"), false, "the nearest one counts");
  assert.equal(wants(trusted, arrival("10.0.0.1"), "http, HTTPS"), true);
});

interface Asked {
  readonly host?: string;
  readonly origin?: string;
  readonly url?: string;
}

/** Status of the refusal of a GET, or 200. */
function ask(lines: string, { host, origin, url }: Asked): number {
  const headers = new Headers();
  if (host !== undefined) headers.set("host", host);
  if (origin !== undefined) headers.set("origin", origin);
  // A Request of its own drops what the servers let through.
  const request = { url: url ?? `http://${host}/health`, method: "GET", headers } as Request;
  return refusalOf(request, exposure(lines))?.status ?? 200;
}

Deno.test("a local API answers to this machine's names, and to that of public_origin", () => {
  const named = 'public_origin = "https://Engine.Example.org:8443"\n';
  for (
    const lines of [
      "",
      named,
      'tls_cert_file = "/etc/mf.pem"\n',
      'trusted_proxies = ["10.0.0.1"]\n',
    ]
  ) {
    assert.equal(ask(lines, { host: "localhost:8765" }), 200);
    assert.equal(ask(lines, { host: "evil.example" }), 421);
    assert.equal(ask(lines, { host: "localhost", origin: "https://localhost:1" }), 200);
    assert.equal(ask(lines, { host: "localhost", origin: "https://evil.example" }), 403);
  }
  assert.equal(ask("", { host: "engine.example.org" }), 421);
  assert.equal(ask(named, { host: "engine.example.org:8443" }), 200);
  const origin = "https://engine.example.org:8443";
  assert.equal(ask(named, { host: "localhost", origin }), 200);
  assert.equal(ask(named, { host: "localhost", origin: "https://engine.example.org" }), 403);
});

Deno.test("an exposed API answers to any name, and to browsers of its own origin only", () => {
  const off = 'host = "10.0.0.9"\n';
  for (const lines of [off, behindProxy]) {
    for (const host of ["engine.example.org", "10.0.0.9:8765", "[fd00::9]:8765", "localhost"]) {
      assert.equal(ask(lines, { host }), 200, host);
      assert.equal(ask(lines, { host, origin: `https://${host}` }), 200, host);
    }
    for (const host of ["a b", "x@evil.example", "", "evil.example/x", "[::1"]) {
      assert.equal(ask(lines, { host, url: "http://engine.example.org/health" }), 421, host);
    }
    const host = "engine.example.org";
    for (
      const origin of [
        "https://evil.example",
        "http://localhost:3000",
        "https://engine.example.org.evil.example",
        "https://engine.example.org:8443",
        "null",
        "https://engine.example.org/x",
        "ftp://engine.example.org",
      ]
    ) {
      assert.equal(ask(lines, { host, origin }), 403, origin);
    }
    assert.equal(
      ask(lines, { host: "engine.example.org:443", origin: "https://engine.example.org" }),
      200,
    );
    // Set, it is the only one: behind a proxy the Host can be the proxy's own word for us.
    const named = `${lines}public_origin = "https://engine.example.org"\n`;
    assert.equal(ask(named, { host: "10.0.0.9", origin: "https://engine.example.org" }), 200);
    assert.equal(ask(named, { host: "10.0.0.9", origin: "https://10.0.0.9" }), 403);
  }
  // Without the proxies' names nobody has said that a proxy is there.
  assert.equal(ask('trusted_proxies = ["10.0.0.1"]\n', { host: "engine.example.org" }), 421);
});
