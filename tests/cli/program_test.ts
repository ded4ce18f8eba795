import assert from "node:assert/strict";
import { VERSION } from "../../src/version.ts";
import { run, tempDir } from "./program.ts";

Deno.test("--version and --help need nothing and say what there is", async () => {
  const version = await run(["--version"], { flags: [] });
  assert.deepEqual(version, { code: 0, out: `messagefoundry ${VERSION}\n`, err: "" });
  const help = await run(["--help"], { flags: [] });
  assert.equal(help.code, 0);
  for (const name of ["serve", "validate", "check", "dryrun", "generate", "init", "permissions"]) {
    assert.match(help.out, new RegExp(`^  ${name} `, "m"));
  }
  assert.doesNotMatch(help.out, /launched/, "an internal option is shown");
});

// Goal: editors that start us as they start Python reach the same commands.
Deno.test("a leading -m messagefoundry is passed over", async () => {
  const { code, out } = await run(["-m", "messagefoundry", "--version"], { flags: [] });
  assert.deepEqual([code, out], [0, `messagefoundry ${VERSION}\n`]);
});

Deno.test("a wrong word is answered with usage on standard error and exit code 2", async () => {
  const cases: readonly [readonly string[], RegExp][] = [
    [["validat"], /invalid choice 'validat'; did you mean validate\?\nusage: messagefoundry /],
    [["lens", "schema"], /invalid choice 'lens'/],
    [["connection", "schema", "--json"], /No act "schema" on connections: invalid choice\nhint: /],
    [["codeset", "schema"], /No act "schema" on code sets: invalid choice\nhint: /],
    [["alert", "test", "--json"], /No act "test" on alert rules: invalid choice\nhint: /],
    [
      ["validate", "--jsn"],
      /unknown option '--jsn'; did you mean --json\?\nusage: messagefoundry validate/,
    ],
    [["dryrun"], /'--messages <paths\.\.\.>' not specified\nusage: messagefoundry dryrun/],
    [["gen-key", "extra"], /too many arguments/],
    [["serve", "--port"], /argument missing/],
    [[], /^Usage: messagefoundry/],
  ];
  for (const [args, expected] of cases) {
    const { code, out, err } = await run(args, { flags: [] });
    assert.equal(code, 2, args.join(" "));
    assert.equal(out, "", args.join(" "));
    assert.match(err, expected);
    assert.doesNotMatch(err, /\n\s+at /, "a stack is shown");
  }
});

Deno.test("gen-key prints 32 random bytes and nothing else", async () => {
  const [first, second] = [
    await run(["gen-key"], { flags: [] }),
    await run(["gen-key"], { flags: [] }),
  ];
  for (const { code, out, err } of [first, second]) {
    assert.deepEqual([code, err], [0, ""]);
    assert.match(out, /^[A-Za-z0-9+/]{43}=\n$/);
    assert.equal(Uint8Array.fromBase64(out.trim()).length, 32);
  }
  assert.notEqual(first.out, second.out);
});

Deno.test("hl7schema --json is one compact line of the published shape", async () => {
  const { code, out } = await run(["hl7schema", "--json"], { flags: [] });
  assert.equal(code, 0);
  assert.equal(out.trimEnd().split("\n").length, 1);
  const { version, segments } = JSON.parse(out);
  assert.equal(version, "2.5.1");
  const [field] = segments.PID.fields.slice(4);
  assert.deepEqual(Object.keys(field), ["index", "name", "datatype", "components"]);
  assert.deepEqual([field.index, field.datatype], [5, "XPN"]);
  assert.equal(field.components[0].index, 1);
});

Deno.test("completion is generated for three shells and refused for others", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, out } = await run(["completion", shell], { flags: [] });
    assert.equal(code, 0);
    for (const word of ["serve", "settings", "ai-policy", "show-phi", "project-root"]) {
      assert.ok(out.includes(word), `${shell} does not complete ${word}`);
    }
    // The launcher alone starts an engine with these.
    assert.doesNotMatch(out, /hangup-stops|launched/);
  }
  const { code, err } = await run(["completion", "tcsh"], { flags: [] });
  assert.equal(code, 2);
  assert.match(err, /There are: bash, zsh, fish/);
});

// Goal: a file whose name has a blank is one word to complete, not two.
Deno.test("the bash completion offers files by their whole names", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/north lab.hl7`, "");
  const { out } = await run(["completion", "bash"], { flags: [] });
  const script = `${out}\nCOMP_WORDS=(messagefoundry dryrun --messages no)
COMP_CWORD=3\n_messagefoundry\nprintf '[%s]' "\${COMPREPLY[@]}"`;
  const { stdout } = await new Deno.Command("bash", { args: ["-c", script], cwd: dir.path })
    .output();
  assert.equal(new TextDecoder().decode(stdout), "[north lab.hl7]");
});

// Goal: bash itself offers the acts of a command as its first word, and options behind them.
Deno.test("the bash completion offers what a command does", async () => {
  const { out } = await run(["completion", "bash"], { flags: [] });
  const complete = async (...words: string[]) => {
    const script = `${out}\nCOMP_WORDS=(messagefoundry ${
      words.map((word) => `"${word}"`).join(" ")
    })
COMP_CWORD=${words.length}\ncompopt() { :; }\n_messagefoundry\necho "\${COMPREPLY[@]}"`;
    const { stdout } = await new Deno.Command("bash", { args: ["-c", script] }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  assert.match(await complete("adm"), /^admin$/);
  assert.equal(await complete("codeset", "re"), "rename remove");
  assert.match(await complete("admin", ""), /^list create .* clear-mfa --help$/);
  assert.equal(await complete("admin", "create", "--ro"), "--role");
  assert.equal(await complete("completion", ""), "bash zsh fish --help");
});
