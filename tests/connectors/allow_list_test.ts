import assert from "node:assert/strict";
import { AllowList, plainAddress } from "../../src/connectors/allow_list.ts";

const cases: readonly (readonly [readonly string[], string | undefined, boolean])[] = [
  [["10.0.0.0/8"], "::ffff:10.0.0.5", true],
  [["10.0.0.0/8"], "::ffff:0a00:0005", true],
  [["10.0.0.0/8"], "10.255.1.2", true],
  [["10.0.0.0/8"], "11.0.0.1", false],
  [["10.4.8.7"], "10.4.8.7", true],
  [["10.4.8.7"], "10.4.8.8", false],
  [["0.0.0.0/0"], "203.0.113.9", true],
  [["0.0.0.0/0"], "2001:db8::1", false],
  [["::ffff:10.0.0.0/104"], "10.9.9.9", true],
  [["::ffff:10.0.0.0/104"], "11.9.9.9", false],
  [["2001:db8::/32"], "2001:db8:1::5", true],
  [["2001:db8::/32"], "2001:db9::5", false],
  [["fe80::1"], "fe80::1%eth0", true],
  [["fe80::1%eth0"], "fe80::1", true],
  [["10.0.0.1", "192.0.2.0/24"], "192.0.2.200", true],
  [["10.0.0.1"], undefined, false],
  [["10.0.0.1"], "", false],
  [[], undefined, true],
  [[], "203.0.113.9", true],
];

Deno.test("AllowList takes in whom its entries name, in either family", () => {
  for (const [entries, peer, expected] of cases) {
    assert.equal(new AllowList(entries).allows(peer), expected, `${entries} ${peer}`);
  }
});

Deno.test("AllowList refuses what is neither address nor CIDR", () => {
  const bad = [
    "",
    "host.example",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0.0/-1",
    "10.0.0.0/ 8",
    "10.0.0",
    "::1/129",
    "::ffff:10.0.0.0/8",
  ];
  for (const entry of bad) {
    assert.throws(() => new AllowList([entry]), { code: "connector.bad_allowlist" }, entry);
  }
});

Deno.test("plainAddress() strips the zone and the IPv4 mapping", () => {
  assert.equal(plainAddress("fe80::1%en0"), "fe80::1");
  assert.equal(plainAddress("::ffff:127.0.0.1"), "127.0.0.1");
  assert.equal(plainAddress("::FFFF:C000:0207"), "192.0.2.7");
  assert.equal(plainAddress("::1"), "::1");
  assert.equal(plainAddress(undefined), undefined);
});
