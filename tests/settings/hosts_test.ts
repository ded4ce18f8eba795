import assert from "node:assert/strict";
import fc from "fast-check";
import {
  canonicalHost,
  hostAndPort,
  isOneHost,
  parseHostEntry,
  plainHost,
} from "../../src/settings/mod.ts";

const entries: readonly (readonly [entry: string, host: string, port?: number])[] = [
  ["Lab.Example.ORG.", "lab.example.org"],
  ["lab:2575", "lab", 2575],
  ["lab.example.org.:2575", "lab.example.org", 2575],
  ["10.0.0.1:65535", "10.0.0.1", 65_535],
  ["::1", "::1"],
  ["[::1]", "::1"],
  ["[FE80:0::1]:2575", "fe80::1", 2575],
  ["[::ffff:10.0.0.1]:2575", "10.0.0.1", 2575],
  // All of it is the address: a port after one needs brackets.
  ["2001:db8::1:2575", "2001:db8::1:2575"],
];
for (const [entry, host, port] of entries) {
  Deno.test(`parseHostEntry() reads ${entry}`, () => {
    assert.deepEqual(parseHostEntry(entry), { host, port });
  });
}

Deno.test("parseHostEntry() refuses what is no host, and what is more than one", () => {
  const bad = [
    "",
    " ",
    "lab:0",
    "lab:",
    "lab:65536",
    "a b",
    " lab",
    "http://lab",
    "lab/x",
    "u@lab",
  ];
  const several = ["*", "*.example.org", "10.0.0.0/8", "10.0.0.0/8:2575", "a,b", ":2575", "*:2575"];
  const ipv6 = ["[lab]:1", "[::1", "::1]", "[::1]:0", "[::1]x", ":::", "1:2:3", "fe80::1%eth0"];
  const odd = ["2001:db8:0:0:0:0:0:1:2575", "läb.example", "-lab", "lab-", "x".repeat(254)];
  for (const entry of [...bad, ...several, ...ipv6, ...odd]) {
    assert.equal(parseHostEntry(entry), undefined, entry);
  }
});

Deno.test("isOneHost() takes names and addresses, as they are written in either room", () => {
  for (const host of ["lab", "LAB-1.example.org.", "lab_x", "10.0.0.1", "::", "::1", "[::1]"]) {
    assert.ok(isOneHost(host), host);
  }
  for (
    const host of ["", "*", "*.org", "10.0.0.0/8", "::/0", "lab:1", "[::1]:1", "a b", "::1%lo"]
  ) {
    assert.ok(!isOneHost(host), host);
  }
});

Deno.test("canonicalHost() keeps what it cannot read", () => {
  assert.equal(canonicalHost("fe80::1%eth0"), "fe80::1%eth0");
  assert.equal(canonicalHost("not:an:address:zz"), "not:an:address:zz");
  // Other spellings of 127.0.0.1 for a resolver; here they are names, and match no address.
  for (const name of ["127.1", "0x7f.0.0.1", "2130706433"]) assert.equal(canonicalHost(name), name);
});

/** Every spelling of one IPv6 address that people use. */
function spellings(groups: readonly number[]): readonly string[] {
  const hex = (width: number) => groups.map((group) => group.toString(16).padStart(width, "0"));
  const long = hex(4).join(":");
  const short = hex(1).join(":");
  return [long, short, long.toUpperCase(), `[${short}]`, ` ${short} `, plainHost(shortest(short))];
}

function shortest(address: string): string {
  return new URL(`http://[${address}]/`).hostname;
}

const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
  minLength: 8,
  maxLength: 8,
});
const host = fc.oneof(fc.domain(), fc.ipV4(), groups.map((group) => spellings(group)[1] ?? ""));
const port = fc.integer({ min: 1, max: 65_535 });

Deno.test("canonicalHost() has one spelling for every way to write an IPv6 address", () => {
  fc.assert(fc.property(groups, (group) => {
    const found = new Set(spellings(group).map(canonicalHost));
    assert.equal(found.size, 1, [...found].join(" "));
    const [canonical = ""] = found;
    assert.equal(canonicalHost(canonical), canonical);
  }));
});

Deno.test("parseHostEntry() reads back what hostAndPort() writes", () => {
  fc.assert(fc.property(host, port, (host, port) => {
    assert.deepEqual(parseHostEntry(hostAndPort({ host, port })), {
      host: canonicalHost(host),
      port,
    });
    assert.deepEqual(parseHostEntry(host), { host: canonicalHost(host), port: undefined });
    assert.equal(hostAndPort({ host: `[${plainHost(host)}]`, port }).includes("[["), false);
  }));
});
