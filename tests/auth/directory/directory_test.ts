// Goal: a directory that answers badly, or not at all, lets nobody in and holds nobody up.
// Method: a server of ours that speaks LDAP as badly as the test says, under short limits.
import assert from "node:assert/strict";
import { systemClock } from "../../../src/clock.ts";
import { Directory, DirectoryError } from "../../../src/auth/directory/mod.ts";
import { directoryLimits } from "../../../src/auth/directory/directory.ts";
import { loadSettings } from "../../../src/settings/mod.ts";
import { within } from "../../connectors/waiting.ts";
import { directoryEnv } from "./bench.ts";
import { SERVICE } from "./domain_controller.ts";
import {
  type Answering,
  ber,
  bindAnswer,
  concat,
  entry,
  FakeDirectory,
  type LdapRequest,
  oneUser,
  searchDone,
} from "./fake_directory.ts";

const ALICE = "CN=alice,DC=ad,DC=test";
const user = { sAMAccountName: ["alice"], userAccountControl: ["512"] };
const limits = { connectMs: 300, stepMs: 300, wholeMs: 800 };

const well = oneUser(ALICE, user);

async function open(
  fake: FakeDirectory,
  { scheme = "ldap", env = {}, ...own }: {
    scheme?: string;
    env?: Record<string, string>;
  } & Partial<typeof limits> = {},
): Promise<Directory> {
  const { settings } = loadSettings({
    env: directoryEnv(`${scheme}://${fake.address}`, {
      MEFOR_AUTH_AD_ALLOW_INSECURE_LDAP: "true",
      ...env,
    }),
  });
  return await Directory.open({
    settings: settings.auth,
    clock: systemClock,
    limits: { ...limits, ...own },
  });
}

/**
 * The code the sign-in of alice fails with. Fails when it does not, or when it takes too long: one
 * step may begin just before the whole is over.
 */
async function failure(
  answer: Answering,
  options: { readonly scheme?: string } & Partial<typeof limits> = {},
): Promise<string> {
  await using fake = await FakeDirectory.start(answer);
  const directory = await open(fake, options);
  const { connectMs, stepMs, wholeMs } = { ...limits, ...options };
  let code = "";
  const asked = within(
    directory.authenticate("alice", "password"),
    "an end",
    connectMs + stepMs + wholeMs + 500,
  );
  await assert.rejects(asked, (thrown) => {
    assert.ok(thrown instanceof DirectoryError, String(thrown));
    assert.doesNotMatch(`${thrown.message} ${thrown.hint} ${thrown.reason}`, /alice|password"/);
    code = thrown.code;
    return true;
  });
  return code;
}

/** Answers as `well` does but for requests from the n-th on. */
const wellUntil = (number: number, answer: Answering): Answering => (request) =>
  request.number < number ? well(request) : answer(request);

Deno.test("authenticate() takes the word of a directory that is well", async () => {
  await using fake = await FakeDirectory.start(well);
  const directory = await open(fake);
  const answer = await directory.authenticate("alice", "password");
  assert.ok(answer.isProved);
  assert.equal(answer.user.name, "alice");
  assert.deepEqual(
    fake.requests.map(({ kind, dn }) => [kind, dn]),
    [["bind", SERVICE.dn], ["search", ""], ["bind", ALICE], ["search", ""]],
  );
});

Deno.test("authenticate() ends in time when the directory goes silent at any step", async () => {
  for (const number of [1, 2, 3, 4]) {
    assert.equal(
      await failure(wellUntil(number, () => undefined)),
      "directory.timeout",
      `${number}`,
    );
  }
  // A handshake that is never answered.
  assert.equal(await failure(() => undefined, { scheme: "ldaps" }), "directory.timeout");
});

Deno.test("authenticate() ends when the connection does, at any step", async () => {
  for (const number of [1, 2, 3, 4]) {
    const answer = wellUntil(number, () => "close");
    assert.equal(await failure(answer), "directory.unreachable", `${number}`);
  }
});

Deno.test("authenticate() ends when the answer is cut off", async () => {
  const half: Answering = (request) => bindAnswer(request).subarray(0, 9);
  assert.equal(await failure(wellUntil(3, half)), "directory.timeout");
});

Deno.test("authenticate() is told nothing by answers that are none", async () => {
  const text = new TextEncoder();
  const answers: readonly Answering[] = [
    () => text.encode("HTTP/1.1 400 Bad Request\r\n\r\n"),
    () => new Uint8Array(64),
    () => new Uint8Array(65_536).fill(0xff),
    () => Uint8Array.of(0x30, 0x84, 0x7f, 0xff, 0xff, 0xff),
    () => Uint8Array.of(0x30, 0x80, 0x00, 0x00),
    () => Uint8Array.of(0x30, 0x00),
    // An answer to another request.
    (request) => bindAnswer({ ...request, id: request.id + 1 }),
    // Answers of one request inside another; thousands of small ones in one piece.
    ({ id }) => ber(0x30, ber(0x02, id), ber(0x61, 0x0a, 0x05, 0x00)),
    () => concat(Array.from({ length: 20_000 }, () => ber(0x30, ber(0x02, 99), ber(0x7f)))),
  ];
  for (const [index, answer] of answers.entries()) {
    for (const number of [1, 2, 3]) {
      const code = await failure(wellUntil(number, answer));
      assert.match(code, /^directory\.(timeout|unreachable)$/, `answer ${index} to ${number}`);
    }
  }
});

Deno.test("authenticate() reads no answer without an end", async () => {
  const many = (request: LdapRequest) =>
    concat(
      Array.from({ length: 300 }, (_, index) => entry(request, `CN=${index}`, { cn: ["x"] })),
    );
  const drowned: Answering = (request) => many(request);
  assert.equal(await failure(wellUntil(2, drowned)), "directory.timeout");
  // More than a whole conversation may hold, in one entry that never ends.
  const flood: Answering = () =>
    concat([Uint8Array.of(0x30, 0x84, 0x40, 0, 0, 0), new Uint8Array(20 * 1024 * 1024)]);
  assert.equal(await failure(wellUntil(2, flood), { stepMs: 10_000 }), "directory.unusable_answer");
});

Deno.test("authenticate() wants one user with a name, and binds as nobody else", async () => {
  const answers: readonly Answering[] = [
    // Two for one name.
    (request) =>
      concat([
        entry(request, ALICE, user),
        entry(request, "CN=other,DC=ad,DC=test", user),
        searchDone(request),
      ]),
    // A bind with an empty name succeeds and proves nothing.
    (request) => concat([entry(request, "", user), searchDone(request)]),
  ];
  for (const answer of answers) {
    let binds = 0;
    const code = await failure((request) => {
      if (request.kind === "bind") binds += 1;
      return request.number === 2 ? answer(request) : well(request);
    });
    assert.equal(code, "directory.unusable_answer");
    assert.equal(binds, 1, "only the engine's own");
  }
  for (const names of [[], [""], ["a\u0000b"], ["a".repeat(300)]]) {
    const nameless: Answering = (request) =>
      request.number !== 2 ? well(request) : concat([
        entry(request, ALICE, { ...user, sAMAccountName: names }),
        searchDone(request),
      ]);
    assert.equal(await failure(nameless), "directory.unusable_answer");
  }
});

Deno.test("authenticate() refuses an account whose state the directory does not show", async () => {
  for (
    const control of [[], [""], ["x"], ["514"], ["66050"], ["-2147483646"], ["0x200"], ["5e2"]]
  ) {
    await using fake = await FakeDirectory.start((request) =>
      request.number !== 2 ? well(request) : concat([
        entry(request, ALICE, { ...user, userAccountControl: control }),
        searchDone(request),
      ])
    );
    const directory = await open(fake);
    const answer = await directory.authenticate("alice", "password");
    assert.deepEqual(answer, { isProved: false, reason: "unknown_or_disabled" }, `${control}`);
    // A stranger is bound all the same, for the time that takes; never alice.
    const binds = fake.requests.filter(({ kind }) => kind === "bind");
    assert.match(binds[1]!.dn, /^CN=[0-9a-f-]{36},DC=ad,DC=test$/);
  }
});

Deno.test("authenticate() takes no other refusal for a wrong password", async () => {
  for (const code of [1, 8, 10, 14, 32, 50, 51, 52, 53, 80]) {
    const answer: Answering = (request) => bindAnswer(request, code, "no");
    assert.equal(await failure(wellUntil(1, answer)), "directory.failed", `${code}`);
    assert.equal(await failure(wellUntil(3, answer)), "directory.failed", `${code}`);
    const search: Answering = (request) => searchDone(request, code);
    assert.equal(await failure(wellUntil(2, search)), "directory.failed", `${code}`);
    assert.equal(await failure(wellUntil(4, search)), "directory.failed", `${code}`);
  }
  const invalid: Answering = (request) => bindAnswer(request, 49, "no");
  assert.equal(await failure(wellUntil(1, invalid)), "directory.service_refused");
});

Deno.test("authenticate() sends nothing for what cannot be a password or a name", async () => {
  await using fake = await FakeDirectory.start(well);
  const directory = await open(fake);
  for (const password of ["", "\0", "\0x", "x\0"]) {
    const answer = await directory.authenticate("alice", password);
    assert.deepEqual(answer, { isProved: false, reason: "bad_password" });
  }
  for (const name of ["", "\0", "alice\0", "a".repeat(257), "\ud800", "a\nb"]) {
    const answer = await directory.authenticate(name, "password");
    assert.deepEqual(answer, { isProved: false, reason: "unknown_or_disabled" });
  }
  assert.equal(fake.connections, 0);
});

Deno.test("authenticate() follows pages of groups to their end, and no further than honest", async () => {
  const page = (request: LdapRequest, cookie: string) => {
    const { id } = request;
    const done = ber(0x65, ber(0x0a, 0), ber(0x04), ber(0x04));
    const value = ber(0x30, ber(0x02, 0), ber(0x04, cookie));
    const control = ber(0x30, ber(0x04, "1.2.840.113556.1.4.319"), ber(0x04, value));
    return ber(0x30, ber(0x02, id), done, ber(0xa0, control));
  };
  const groups = (request: LdapRequest, cookie: string) => {
    const names = Array.from({ length: 500 }, (_, index) => `G${request.number}-${index}`);
    return concat([
      ...names.map((name) => entry(request, `CN=${name}`, { sAMAccountName: [name] })),
      page(request, cookie),
    ]);
  };
  await using fake = await FakeDirectory.start((request) =>
    request.number < 4 ? well(request) : groups(request, request.number < 6 ? "more" : "")
  );
  const answer = await (await open(fake)).authenticate("alice", "password");
  assert.ok(answer.isProved);
  assert.equal(answer.user.groups.size, 3 * 500 * 2);
  assert.ok(answer.user.groups.has("g6-499"));
  const endless = wellUntil(4, (request) => groups(request, "more"));
  const code = await failure(endless, { stepMs: 10_000, wholeMs: 20_000 });
  assert.equal(code, "directory.unusable_answer");
});

Deno.test("Directory.open() refuses a file that holds no authority", async () => {
  await using fake = await FakeDirectory.start(well);
  const dir = await Deno.makeTempDir({ prefix: "mefor_ca_" });
  try {
    await Deno.writeTextFile(`${dir}/empty.pem`, "nothing\n");
    for (const file of [`${dir}/none.pem`, `${dir}/empty.pem`, dir]) {
      const env = { MEFOR_AUTH_AD_TLS_CA_CERT_FILE: file };
      await assert.rejects(open(fake, { env }), { code: "directory.ca_file" });
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("the engine's own limits end a sign-in well before a client gives up", () => {
  const { wholeMs, connectMs, stepMs } = directoryLimits;
  assert.ok(wholeMs + connectMs + stepMs <= 30_000);
});
