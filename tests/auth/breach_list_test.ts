// Goal: a password of the operator's list is refused, whichever form the list has and however large it
// is, and no other is.
// Method: lists written to files, small limits in the place of large files; a model that is a set.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { BreachList, type BreachListLimits } from "../../src/auth/breach_list.ts";
import { AuthError } from "../../src/auth/mod.ts";
import { AuthBench, PASSWORD, refusal } from "./bench.ts";

const sha1 = (text: string) => createHash("sha1").update(text).digest("hex");
/** Everything is large. */
const large: BreachListLimits = { scanBytes: 0, unorderedBytesMax: 1 << 30 };

async function withList<T>(
  content: string | Uint8Array,
  use: (list: BreachList) => Promise<T>,
  limits?: BreachListLimits,
): Promise<T> {
  const path = await Deno.makeTempFile({ prefix: "mefor_breached_" });
  try {
    await Deno.writeFile(
      path,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
    using list = await BreachList.open(path, limits);
    return await use(list);
  } finally {
    await Deno.remove(path);
  }
}

const password = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20 }),
  fc.constantFrom("hunter2", "HUNTER2", "straße", "日本語の鍵", "a", "a:b", "ﬁnch"),
).filter((text) => text.trim() === text && !/[\r\n\p{C}]/u.test(text));
/** A first line of forty hex digits would be taken for a hash. */
const passwords = fc.uniqueArray(password, { minLength: 1, maxLength: 60 });
const lineEnd = fc.constantFrom("\n", "\r\n");

for (
  const [name, form, limits, lineOf, isOrdered] of [
    ["passwords", "passwords", undefined, (text: string) => text, false],
    ["hashes", "hashes", undefined, sha1, false],
    ["large unordered hashes", "hashes", large, (text: string) => `${sha1(text)}:7`, false],
    ["large ordered hashes", "ordered_hashes", large, (text: string) => sha1(text), true],
    [
      "large ordered hashes with counts",
      "ordered_hashes",
      large,
      (text: string) => `${sha1(text).toUpperCase()}:${text.length}`,
      true,
    ],
  ] as const
) {
  Deno.test(`a list of ${name} has what it lists, and nothing else`, async () => {
    await fc.assert(
      fc.asyncProperty(
        passwords,
        passwords,
        lineEnd,
        fc.boolean(),
        async (listed, others, end, isEnded) => {
          const lines = listed.map(lineOf);
          if (isOrdered) lines.sort();
          // Two lines can be in order by chance.
          else if (limits !== undefined) lines.sort().reverse();
          const isOrderedByChance = lines.length < 3;
          await withList(lines.join(end) + (isEnded ? end : ""), async (list) => {
            if (!isOrderedByChance) assert.equal(list.form, form);
            for (const text of listed) assert.equal(await list.has(text), true, text);
            const known = new Set(listed.map((text) => text.toLowerCase()));
            for (const text of others) {
              const spellings = [text, text.toLowerCase(), text.normalize("NFKC")];
              if (spellings.some((one) => known.has(one.toLowerCase()))) continue;
              assert.equal(await list.has(text), false, text);
            }
          }, limits);
        },
      ),
      { numRuns: 60 },
    );
  });
}

Deno.test("case does not hide a password of a list of passwords", async () => {
  await withList("\ufeffCorrectHorse\r\n\r\nstaple", async (list) => {
    for (const text of ["correcthorse", "CORRECTHORSE", "Staple"]) {
      assert.equal(await list.has(text), true, text);
    }
    for (const text of ["", "\n", "correct", "horse", "correcthorse\r\n", "correcthorse\nstaple"]) {
      assert.equal(await list.has(text), false, JSON.stringify(text));
    }
  });
});

Deno.test("a long list is searched by halves: few reads, no matter how many lines", async () => {
  const count = 200_000;
  const lines = Array.from({ length: count }, (_, n) => `${sha1(`password ${n}`)}:${n}`).sort();
  await withList(`${lines.join("\n")}\n`, async (list) => {
    assert.equal(list.form, "ordered_hashes");
    for (let n = 0; n < count; n += 997) {
      assert.equal(await list.has(`password ${n}`), true);
      assert.equal(await list.has(`password ${n}x`), false);
    }
    const at = [lines[0]!, lines.at(-1)!].map((line) => Number(line.split(":")[1]));
    for (const n of at) assert.equal(await list.has(`password ${n}`), true, "first and last");
    // Lookups at once share the file and do not disturb one another.
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, n) => list.has(`password ${n % 2 === 0 ? n : -n}`)),
    );
    assert.deepEqual(all, Array.from({ length: 50 }, (_, n) => n % 2 === 0));
  });
});

Deno.test("a password that lies across two pieces is found; binary content breaks nothing", async () => {
  const filler = `${"x".repeat(99)}\n`.repeat(2_621);
  const pad = "y".repeat((1 << 18) - filler.length - 10);
  await withList(`${filler}${pad}\nacross the cut of pieces\nlast one`, async (list) => {
    assert.equal(await list.has("across the cut of pieces"), true);
    assert.equal(await list.has("last one"), true);
    assert.equal(await list.has("the cut of pieces"), false);
  });
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  await withList(bytes, async (list) => assert.equal(await list.has(PASSWORD), false));
  await withList(new Uint8Array(1 << 20), async (list) => assert.equal(await list.has("a"), false));
  await withList("", async (list) => assert.equal(await list.has("a"), false));
});

Deno.test("a list that cannot be searched is refused, with what to do", async () => {
  const refused = async (content: string, limits: BreachListLimits, hint: RegExp) => {
    await assert.rejects(
      withList(content, () => Promise.resolve(), limits),
      (thrown: AuthError) => {
        assert.equal(thrown.code, "auth.breach_list");
        assert.match(thrown.hint ?? "", hint);
        return true;
      },
    );
  };
  const small = { scanBytes: 0, unorderedBytesMax: 10 };
  await refused("a password\nanother one\n", small, /^Use SHA-1 hashes in order, or take/);
  const unordered = ["a", "b", "c", "d"].map(sha1).sort().reverse().join("\n");
  await refused(unordered, small, /^Sort it: /);
  await refused(`${sha1("a")}\nno hash at all\n${sha1("b")}\n`, large, /^Give every line the form/);
  for (const path of ["/no/such/list", "/"]) {
    assert.equal(await refusal(BreachList.open(path)), "auth.breach_list", path);
  }
});

Deno.test("accounts take no password of the list, neither at first nor later", async () => {
  const listed = "eleven purple boats at night";
  const path = await Deno.makeTempFile({ prefix: "mefor_breached_" });
  await Deno.writeTextFile(path, `${listed}\n`);
  try {
    const settings = `breach_corpus_file = "${path}"`;
    await using bench = await AuthBench.open({ settings });
    const { accounts, ownPassword } = bench.auth;
    const by = { name: "root", userId: undefined };
    const newcomer = { username: "newcomer", displayName: null, email: null, roles: [] };
    const create = (password: string) => accounts.create(by, { ...newcomer, password });
    await assert.rejects(create(listed.toUpperCase()), {
      code: "auth.password_policy",
      message: "password must not be a common or breached password",
    });
    await bench.user("ann");
    const identity = await bench.identity(await bench.token("ann"));
    const change = (next: string) => ownPassword.change(identity, { current: PASSWORD, next }, "");
    assert.equal(await refusal(change(listed)), "auth.password_policy");
    await change("eleven purple boats at dawn");
    await create("nobody has ever used this one");
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("an engine does not start with a list it cannot read, unless it does not look", async () => {
  const settings = 'breach_corpus_file = "/no/such/list"\n';
  assert.equal(await refusal(AuthBench.open({ settings })), "auth.breach_list");
  await using _bench = await AuthBench.open({
    settings: `${settings}password_check_breached = false`,
  });
});
