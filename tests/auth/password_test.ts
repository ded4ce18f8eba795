import assert from "node:assert/strict";
import { commonPasswordsFile } from "../../src/auth/data/build.ts";
import { passwordCost, PasswordHasher } from "../../src/auth/password_hash.ts";
import { makePassword, violationsOf } from "../../src/auth/password_policy.ts";
import { loadSettings } from "../../src/settings/mod.ts";

Deno.test("verify() takes the reference implementation's hash, and nothing near it", async () => {
  const hasher = new PasswordHasher();
  // phc-winner-argon2, src/test.c.
  const known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$" +
    "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  assert.equal(await hasher.verify("password", known), true);
  assert.equal(await hasher.verify("Password", known), false);
  assert.equal(await hasher.verify("password", known.replace("c29tZXNhbHQ", "c29tZXNhbHU")), false);
  assert.equal(hasher.isWeak(known), true, "two passes are fewer than three");
});

Deno.test("a stored hash that is none, or asks for too much, fits no password", async () => {
  const hasher = new PasswordHasher();
  const salt = "AAAAAAAAAAAAAAAAAAAAAA";
  const hash = "A".repeat(43);
  for (
    const stored of [
      "",
      "password",
      `$argon2i$v=19$m=65536,t=3,p=4$${salt}$${hash}`,
      `$argon2id$v=19$m=9999999,t=3,p=4$${salt}$${hash}`,
      `$argon2id$v=19$m=65536,t=999,p=4$${salt}$${hash}`,
      `$argon2id$v=19$m=8,t=1,p=4$${salt}$${hash}`,
      `$argon2id$v=19$m=65536,t=3,p=4$${salt}$AAAA`,
    ]
  ) {
    assert.equal(await hasher.verify("password", stored), false, stored);
  }
});

Deno.test("hash() salts, says its cost, and takes a name in either normal form", async () => {
  const hasher = new PasswordHasher();
  const [one, other] = await Promise.all([hasher.hash("caf\u00e9 du matin"), hasher.hash("x")]);
  assert.match(one, /^\$argon2id\$v=19\$m=65536,t=3,p=4\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.notEqual(one.split("$")[4], other.split("$")[4]);
  assert.equal(await hasher.verify("cafe\u0301 du matin", one), true);
  assert.equal(hasher.isWeak(one), false);
  assert.deepEqual(passwordCost, { memory: 65_536, passes: 3, lanes: 4 });
});

// Goal: a flood of sign-ins takes two hashes' worth of memory and the rest is told to come back.
Deno.test("two hashes run at once, 32 wait, the next is refused, and the thread goes on", async () => {
  const hasher = new PasswordHasher();
  const salt = new Uint8Array(16);
  const cost = { memory: 1_024, passes: 1, lanes: 1 };
  let running = 0;
  let most = 0;
  const { subtle } = crypto;
  const derive = subtle.deriveBits;
  subtle.deriveBits = async (...given) => {
    most = Math.max(most, running += 1);
    try {
      return await derive.apply(subtle, given);
    } finally {
      running -= 1;
    }
  };
  try {
    const all = Array.from({ length: 40 }, () => hasher.derive("x", salt, cost));
    const outcomes = await Promise.allSettled(all);
    const refused = outcomes.filter(({ status }) => status === "rejected");
    assert.equal(refused.length, 40 - 2 - 32);
    for (const outcome of refused) {
      assert.equal((outcome as PromiseRejectedResult).reason.code, "auth.busy");
    }
    assert.equal(most, 2);
    // Nobody is left in: the places are free again.
    await Promise.all(Array.from({ length: 34 }, () => hasher.derive("x", salt, cost)));
  } finally {
    subtle.deriveBits = derive;
  }
  const slow = hasher.hash("x");
  let ticks = 0;
  const timer = setInterval(() => ticks += 1, 1);
  await slow;
  clearInterval(timer);
  assert.ok(ticks >= 10, `${ticks} ticks while a hash ran`);
});

function authSettings(lines = "") {
  const file = { path: "messagefoundry.toml", text: `[auth]\n${lines}\n` };
  return loadSettings({ file, env: {} }).settings.auth;
}

Deno.test("the policy tells every clause in its order", () => {
  const strict = authSettings(
    "password_require_uppercase = true\npassword_require_lowercase = true\n" +
      "password_require_digit = true\npassword_require_symbol = true",
  );
  const of = (password: string, settings = authSettings(), username = "annelise") =>
    violationsOf(password, { username, settings });
  assert.deepEqual(of("", strict), [
    "have at least 15 characters",
    "hold an upper-case letter",
    "hold a lower-case letter",
    "hold a digit",
    "hold a symbol",
  ]);
  assert.deepEqual(of("Aa1! is long enough", strict), []);
  assert.deepEqual(of("PassWord"), [
    "have at least 15 characters",
    "not be a common or breached password",
    "not hold words of this product or its field",
  ]);
  assert.deepEqual(of("my name is ANNElise!"), ["not hold the user name"]);
  assert.deepEqual(of("the bob of the well", authSettings(), "bob"), [], "a short name is no clue");
  assert.deepEqual(of("the HL7 of my choice"), ["not hold words of this product or its field"]);
  assert.deepEqual(of("fourteen signs"), ["have at least 15 characters"]);
  // Signs are counted, not units of sixteen bits.
  assert.deepEqual(of("🦊".repeat(14)), ["have at least 15 characters"]);
  assert.deepEqual(of("🦊".repeat(15)), []);
});

Deno.test("each check can be turned off", () => {
  const settings = authSettings(
    "password_min_length = 1\npassword_check_breached = false\n" +
      "password_check_context = false\ncheck_username = false",
  );
  assert.deepEqual(violationsOf("password", { username: "password", settings }), []);
});

Deno.test("common_passwords.json is what build.ts writes of the package", async () => {
  const file = new URL("../../src/auth/data/common_passwords.json", import.meta.url);
  assert.equal(await Deno.readTextFile(file), commonPasswordsFile());
  const { passwords } = JSON.parse(commonPasswordsFile()) as { passwords: string[] };
  assert.equal(new Set(passwords.flatMap((line) => line.split(" "))).size, 10_000);
});

Deno.test("makePassword() keeps the policy it is made for, at every length", () => {
  const lengths = [1, 15, 64, 768, 1024];
  for (const length of lengths) {
    const settings = authSettings(
      `password_min_length = ${length}\npassword_require_symbol = true\n` +
        "password_require_digit = true",
    );
    const made = makePassword(settings, "admin");
    assert.ok(made.length >= Math.max(43, length) && made.length <= 1024, `${made.length}`);
    assert.deepEqual(violationsOf(made, { username: "admin", settings }), []);
  }
});

Deno.test("a hash that fails gives its place back", async () => {
  const hasher = new PasswordHasher();
  const salt = new Uint8Array(16);
  for (let n = 0; n < 4; n++) {
    // The runtime refuses such parameters.
    await assert.rejects(hasher.derive("x", salt, { memory: 1, passes: 1, lanes: 4 }));
  }
  await Promise.all(
    Array.from({ length: 4 }, () => hasher.derive("x", salt, { memory: 64, passes: 1, lanes: 1 })),
  );
});
