import assert from "node:assert/strict";
import fc from "fast-check";
import { BerWriter } from "ldapts";
import {
  commonNameOf,
  groupKey,
  isUsableName,
  nestedGroupsFilter,
  userFilter,
} from "../../../src/auth/directory/names.ts";

/** A BER value as the directory reads it; a constructed one holds others. */
type Value = { readonly tag: number; readonly parts: readonly Value[]; readonly text: string };

/** Reads what stands in a filter by the tags of RFC 4511 §4.5.1.7; by nobody's library. */
function read(bytes: Uint8Array): readonly Value[] {
  const values: Value[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    let length = bytes[at + 1]!;
    at += 2;
    if (length > 127) {
      const size = length & 127;
      length = bytes.subarray(at, at + size).reduce((sum, byte) => sum * 256 + byte, 0);
      at += size;
    }
    const content = bytes.subarray(at, at + length);
    assert.equal(content.length, length, "no value ends beyond its own");
    const isConstructed = (tag & 0x20) !== 0;
    values.push({
      tag,
      parts: isConstructed ? read(content) : [],
      text: isConstructed ? "" : new TextDecoder().decode(content),
    });
    at += length;
  }
  return values;
}

function written(filter: { write(writer: BerWriter): void }): Value {
  const writer = new BerWriter();
  filter.write(writer);
  const [value, ...others] = read(new Uint8Array(writer.buffer));
  assert.deepEqual(others, []);
  return value!;
}

/** The two values a name is compared with, when the filter has the one shape it may have. */
function assertions(name: string, domain?: string): readonly string[] {
  const [AND, OR, NOT, EQUAL] = [0xa0, 0xa1, 0xa2, 0xa3];
  const filter = written(userFilter(name, domain));
  const shape = ({ tag, parts, text }: Value): unknown =>
    parts.length === 0 ? text : [tag, ...parts.map(shape)];
  const [, , , either] = shape(filter) as [number, unknown, unknown, [number, string[], string[]]];
  const [, [, , account], [, , principal]] = either as unknown as [
    number,
    [number, string, string],
    [number, string, string],
  ];
  assert.deepEqual(shape(filter), [
    AND,
    [EQUAL, "objectClass", "user"],
    [NOT, [EQUAL, "objectClass", "computer"]],
    [OR, [EQUAL, "sAMAccountName", account], [EQUAL, "userPrincipalName", principal]],
  ]);
  return [account, principal];
}

Deno.test("userFilter() looks for an account name or a principal name", () => {
  assert.deepEqual(assertions("alice"), ["alice", "alice"]);
  assert.deepEqual(assertions("alice", "ad.test"), ["alice", "alice@ad.test"]);
  assert.deepEqual(assertions("alice@AD.test", "Ad.Test"), ["alice", "alice@ad.test"]);
  assert.deepEqual(assertions("alice@other.test", "ad.test"), [
    "alice@other.test",
    "alice@other.test",
  ]);
  assert.deepEqual(assertions("@ad.test", "ad.test"), ["@ad.test", "@ad.test"]);
  assert.deepEqual(assertions("alice", ""), ["alice", "alice"]);
});

Deno.test("userFilter() keeps its shape, whatever a name holds", () => {
  const signs = fc.string({
    unit: fc.constantFrom(..."()*\\|&!=<>~:,;#+\"'@/ \0\r\n", "a", "é", "ａ", "𝄞", "\\2a", ")("),
  });
  const name = fc.oneof(signs, fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(name, fc.option(fc.constant("ad.test"), { nil: undefined }), (text, at) => {
      const [account, principal] = assertions(text, at);
      const sent = new TextDecoder().decode(new TextEncoder().encode(text));
      const isOurs = at !== undefined && sent.endsWith("@ad.test") && sent.length > 8;
      assert.equal(account, isOurs ? sent.slice(0, -8) : sent);
      assert.ok(principal!.startsWith(account!));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("nestedGroupsFilter() follows the chain of one name, whatever it holds", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", minLength: 1 }), (dn) => {
    const { tag, parts } = written(nestedGroupsFilter(dn));
    assert.equal(tag, 0xa0);
    const [kind, chain] = parts;
    assert.deepEqual(kind!.parts.map(({ text }) => text), ["objectClass", "group"]);
    const sent = new TextDecoder().decode(new TextEncoder().encode(dn));
    assert.deepEqual(chain!.parts.map(({ tag, text }) => [tag, text]), [
      [0x81, "1.2.840.113556.1.4.1941"],
      [0x82, "member"],
      [0x83, sent],
    ]);
  }));
});

Deno.test("commonNameOf() reads the first part of a name", () => {
  for (
    const [dn, name] of [
      ["CN=Nurses,CN=Users,DC=ad,DC=test", "Nurses"],
      ["cn = Nurses ,DC=ad", "Nurses"],
      ["CN=Nurses", "Nurses"],
      ["CN=Lab\\, East,DC=ad", "Lab, East"],
      ["CN=Lab\\2C East,DC=ad", "Lab, East"],
      ["CN=a\\\\,DC=ad", "a\\"],
      ['CN=a\\+b\\=c\\"d,DC=ad', 'a+b=c"d'],
      ["CN=J\\C3\\B6rg,DC=ad", "Jörg"],
      ["CN=Jörg 𝄞,DC=ad", "Jörg 𝄞"],
      ["CN=a+OU=b,DC=ad", "a"],
      ["CN=\\#a,DC=ad", "#a"],
      ["CN=#0403666f6f,DC=ad", undefined],
      ["CN=,DC=ad", undefined],
      ["OU=Nurses,DC=ad", undefined],
      ["XCN=Nurses,DC=ad", undefined],
      ["", undefined],
    ] as const
  ) assert.equal(commonNameOf(dn), name, dn);
});

Deno.test("commonNameOf() undoes what a directory escapes", () => {
  const sign = fc.constantFrom(...'abc,+"\\<>;=é𝄞# ');
  fc.assert(fc.property(fc.array(sign, { minLength: 1 }).map((all) => all.join("")), (name) => {
    fc.pre(name.trim() === name);
    const escaped = name.replace(/[,+"\\<>;=]/g, "\\$&").replace(/^#/, "\\#");
    assert.equal(commonNameOf(`CN=${escaped},CN=Users,DC=ad,DC=test`), name);
  }));
});

Deno.test("groupKey() tells neither case nor blanks at the ends apart", () => {
  assert.equal(groupKey("  CN=Nurses,DC=AD "), "cn=nurses,dc=ad");
});

Deno.test("isUsableName() takes names, and nothing that only looks like one", () => {
  for (const name of ["a", "o'hara", "jörg", "a b", "*", "日本"]) {
    assert.ok(isUsableName(name), name);
  }
  for (const name of ["", "a\0", "a\n", "\u200b", "\u2028", "\ud800", "a".repeat(257)]) {
    assert.ok(!isUsableName(name), JSON.stringify(name));
  }
});
