import assert from "node:assert/strict";
import fc from "fast-check";
import { TrustedProxies } from "../../src/api/client_address.ts";

function from(proxies: readonly string[], peer: string, headers: Record<string, string> = {}) {
  return new TrustedProxies(proxies).originOf(
    new Request("http://localhost/", { headers }),
    peer,
  );
}

const said = (list: string) => ({ "x-forwarded-for": list, "x-forwarded-proto": "https" });

Deno.test("the peer is the client, whatever it says, unless it is a trusted proxy", () => {
  assert.deepEqual(from([], "10.0.0.1", said("1.2.3.4")), { client: "10.0.0.1", isSecure: false });
  assert.deepEqual(from(["10.0.0.2"], "10.0.0.1", said("1.2.3.4")), {
    client: "10.0.0.1",
    isSecure: false,
  });
  assert.deepEqual(from(["10.0.0.1"], "10.0.0.1", said("1.2.3.4")), {
    client: "1.2.3.4",
    isSecure: true,
  });
  assert.deepEqual(from(["10.0.0.1"], "10.0.0.1"), { client: "10.0.0.1", isSecure: false });
});

Deno.test("networks and both families are trusted as they are written", () => {
  assert.equal(from(["10.0.0.0/8"], "10.9.8.7", said("1.2.3.4")).client, "1.2.3.4");
  assert.equal(from(["10.0.0.0/8"], "11.0.0.1", said("1.2.3.4")).client, "11.0.0.1");
  assert.equal(from(["fd00::/8"], "fd00::1", said("2001:DB8::5")).client, "2001:db8::5");
  assert.equal(from(["::1"], "::1", said("[2001:db8::5]:443")).client, "2001:db8::5");
  // A socket of both families shows an address of the older one so.
  assert.equal(from(["10.0.0.1"], "::ffff:10.0.0.1", said("1.2.3.4:99")).client, "1.2.3.4");
});

Deno.test("of a list the last that is no proxy counts: what stands before anybody may have written", () => {
  const proxies = ["10.0.0.1", "10.0.0.2"];
  const of = (list: string) => from(proxies, "10.0.0.1", said(list)).client;
  assert.equal(of("6.6.6.6, 1.2.3.4"), "1.2.3.4");
  assert.equal(of("6.6.6.6, 1.2.3.4, 10.0.0.2"), "1.2.3.4");
  assert.equal(of("10.0.0.2, 10.0.0.2"), "10.0.0.2");
  assert.equal(of("1.2.3.4, nonsense"), "10.0.0.1", "what is no address is not believed");
  assert.equal(of("1.2.3.4, "), "10.0.0.1");
  assert.equal(of("unknown"), "10.0.0.1");
  assert.equal(from(proxies, "10.0.0.1", { "x-forwarded-proto": "https, http" }).isSecure, false);
});

// Goal: nobody outside of the proxies chooses the address they are limited by.
Deno.test("whatever a client writes before what the proxy adds, it is the proxy that is believed", () => {
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => {
    const forged = text.replace(/[^\x20-\x7e]/g, "");
    const list = `${forged}, 1.2.3.4`;
    assert.equal(from(["10.0.0.1"], "10.0.0.1", said(list)).client, "1.2.3.4");
    assert.equal(from(["10.0.0.1"], "9.9.9.9", said(list)).client, "9.9.9.9");
  }));
});
