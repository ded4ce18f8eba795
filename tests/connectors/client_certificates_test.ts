import assert from "node:assert/strict";
import type tls from "node:tls";
import { X509Certificate } from "node:crypto";
import { ClientCertificates } from "../../src/connectors/client_certificates.ts";
import { Authority, type Identity } from "./certificates.ts";
import { hasTool } from "./foreign_tool.ts";

/** A connection as far as it is looked at here. */
function connection({ cert }: Identity, isReused: boolean): tls.TLSSocket {
  const leaf = new X509Certificate(Deno.readTextFileSync(cert));
  return {
    getPeerX509Certificate: () => leaf,
    isSessionReused: () => isReused,
  } as Partial<tls.TLSSocket> as tls.TLSSocket;
}

// Goal: a session stays for as long as its certificate would be let in, and no longer.
Deno.test("a resumed session stays with a certificate this listener would take anew", async () => {
  if (!await hasTool("openssl", ["version"])) return;
  const dir = await Deno.makeTempDir({ prefix: "mefor_clients_" });
  try {
    const ca = await Authority.create(dir, "ca", { hasKeyId: false });
    const other = await Authority.create(dir, "other");
    const elsewhere = await Deno.makeTempDir({ dir });
    const namesake = await Authority.create(elsewhere, "ca", { hasKeyId: false });
    const client = await ca.issue("client");
    const stranger = await other.issue("stranger");
    const impostor = await namesake.issue("client");
    let now = Date.now() + 1_000;
    const bundle = [ca, ca].map(({ file }) => Deno.readTextFileSync(file)).join("");
    const clients = () => new ClientCertificates(bundle, { now: () => now });

    assert.equal(
      clients().admits(connection(client, true)),
      true,
      "an authority of ours signed it",
    );
    assert.equal(clients().admits(connection(stranger, true)), false);
    assert.equal(clients().admits(connection(impostor, true)), false);
    // Through an intermediate, which only a whole handshake shows.
    const listener = clients();
    assert.equal(listener.admits(connection(stranger, false)), true);
    assert.equal(listener.admits(connection(stranger, true)), true);
    assert.equal(clients().admits(connection(stranger, true)), false, "another listener has not");
    now += 3 * 86_400_000;
    assert.equal(listener.admits(connection(stranger, true)), false, "it has run out");
    assert.equal(clients().admits(connection(client, true)), false);
    now -= 10 * 86_400_000;
    assert.equal(clients().admits(connection(client, true)), false, "it does not hold yet");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
