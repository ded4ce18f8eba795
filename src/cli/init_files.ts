/**
 * The files of a new bundle, by path. Pure, but for the message it has generated.
 *
 * One interface that works: ADT in over MLLP, some events on to a partner, a copy into a directory.
 * Everything here is checked by a test: the bundle passes `check`, its unit tests pass.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { generateMessages } from "../synthetic/mod.ts";

/** Returns every file of the bundle. */
export function bundleFiles(): Readonly<Record<string, string>> {
  const engine = engineRoot();
  return {
    "README.md": readme,
    "deno.json": denoJson(engine),
    ".dvmrc": `${Deno.version.deno}\n`,
    ".gitignore": "/data/\n/.engine/\n.env\n*.db\n*.db-wal\n*.db-shm\n*.db-log\n*.db.lock\n",
    ".gitattributes": "# Segments end in carriage returns.\n*.hl7 -text\n",
    ".vscode/settings.json": json({ "deno.enable": true }),
    ".github/workflows/check.yml": workflow(Deno.version.deno),
    "messagefoundry.toml": settings,
    "graph/admissions.ts": graph,
    "graph/admissions_test.ts": unitTest,
    "codesets/adt_events.csv": "event,action\nA01,admit\nA03,discharge\nA08,update\n",
    "environments/dev.toml": devValues,
    "environments/prod.toml": prodValues,
    "messages/sets/IB_ADT/admit.hl7": message("A01"),
    "messages/sets/IB_ADT/admit.hl7.expect": "RECEIVED\n",
    "messages/sets/IB_ADT/transfer.hl7": message("A02"),
    "messages/sets/IB_ADT/transfer.hl7.expect": "FILTERED\n",
  };
}

/** Where this program stands: beside its `deno.json`. */
function engineRoot(): string {
  return dirname(fileURLToPath(Deno.mainModule));
}

function message(trigger: string): string {
  const [first] = generateMessages({ type: "ADT", triggers: [trigger], count: 1, seed: "init" });
  if (first === undefined) throw new TypeError("One message was asked for");
  return first.text;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** Editors, `deno check` and `deno test` find the engine's modules here. */
function denoJson(engine: string): string {
  const url = (path: string) => pathToFileURL(resolve(engine, path)).href;
  return json({
    nodeModulesDir: "none",
    compilerOptions: {
      strict: true,
      erasableSyntaxOnly: true,
      noUncheckedIndexedAccess: true,
    },
    imports: {
      "messagefoundry": url("src/authoring/mod.ts"),
      "messagefoundry/testing": url("src/authoring/testing.ts"),
    },
    tasks: { test: "deno test --allow-read graph/" },
    fmt: { lineWidth: 100 },
  });
}

const settings =
  `# How this instance runs; what it does stands in graph/. Secrets never stand here: set the
# variable MEFOR_<SECTION>_<KEY>, which also wins over this file.

[ai]
# Selects environments/<name>.toml; "serve --env prod" wins.
environment = "dev"

[engine]
data_dir = "data"

[api]
host = "127.0.0.1"
port = 8765

[inbound]
bind_host = "127.0.0.1"

[egress]
# Where messages may go, and nowhere else.
deny_by_default = true
allowed_mllp = ["127.0.0.1:6661", "ehr.example.org:6661"]
allowed_file_dirs = ["data", "/var/lib/messagefoundry"]
`;

const devValues = `# What env("key") stands for in dev. Secrets: MEFOR_VALUE_<KEY>.
ehr_host = "127.0.0.1"
ehr_port = 6661
archive_dir = "./data/archive"
`;

const prodValues = `# What env("key") stands for in prod. Secrets: MEFOR_VALUE_<KEY>.
ehr_host = "ehr.example.org"
ehr_port = 6661
archive_dir = "/var/lib/messagefoundry/archive"
`;

const graph =
  `/** Admissions: the events the health record keeps go there, and a copy into the archive. */
import { codeSet, env, file, handler, inbound, mllp, outbound, router, send } from "messagefoundry";

const healthRecord = outbound(
  "OB_EHR_ADT",
  mllp({ host: env("ehr_host"), port: env("ehr_port") }),
);

const archive = outbound(
  "FILE-OUT_ARCHIVE_ADT",
  file({ directory: env("archive_dir"), filename: "{MSH-9.2}_{MSH-10}.hl7" }),
);

const events = codeSet("adt_events"); // A01 -> admit, A03 -> discharge, A08 -> update

const forward = handler("admissions_forward", (message) => {
  if (!events.has(message.triggerEvent)) return null;
  return [send(healthRecord, message), send(archive, message)];
});

const route = router("admissions", (message) => message.messageCode === "ADT" ? forward : null);

inbound("IB_ADT", mllp({ port: 2575 }), { router: route });
`;

const unitTest = `import assert from "node:assert/strict";
import { buildMessage, runInbound } from "messagefoundry/testing";
import "./admissions.ts";

const codeSets = { adt_events: { A01: "admit" } };
const segments = ["PID|1||900001^^^NORTH^MR||TESTER^TESSA", "PV1|1|I"];

Deno.test("an admission goes to the health record and the archive", async () => {
  const admit = buildMessage({ type: "ADT^A01", segments });
  const { outcomes, error } = await runInbound("IB_ADT", admit, { codeSets });
  assert.equal(error, undefined);
  const sends = outcomes[0]?.sends ?? [];
  assert.deepEqual(sends.map(({ to }) => to), ["OB_EHR_ADT", "FILE-OUT_ARCHIVE_ADT"]);
});

Deno.test("an event the health record does not keep stops here", async () => {
  const transfer = buildMessage({ type: "ADT^A02", segments });
  const { outcomes } = await runInbound("IB_ADT", transfer, { codeSets });
  assert.deepEqual(outcomes[0]?.sends, []);
});
`;

function workflow(version: string): string {
  return `# The gate: the bundle loads, its fixtures end as expected, its unit tests pass.
# Set the variable MESSAGEFOUNDRY_REPOSITORY of this repository to where the engine is kept.
name: check
on: [push, pull_request]
permissions:
  contents: read
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/checkout@v4
        with:
          repository: \${{ vars.MESSAGEFOUNDRY_REPOSITORY }}
          path: .engine
      - uses: denoland/setup-deno@v2
        with:
          deno-version: v${version}
      - run: >-
          deno task --cwd .engine messagefoundry check
          --project-root "$GITHUB_WORKSPACE" --env dev --messages "$GITHUB_WORKSPACE/messages/sets"
      - run: deno test --config .engine/deno.json --allow-read graph/
`;
}

const readme = `# Interfaces

A bundle for MessageFoundry.

- \`graph/*.ts\`: interfaces, made of inbounds, routers, handlers and outbounds; \`*_test.ts\` are their
  unit tests
- \`codesets/\`: look-up tables
- \`environments/<name>.toml\`: what \`env("key")\` stands for; secrets come as \`MEFOR_VALUE_<KEY>\`
- \`messages/sets/<inbound>/\`: fixtures, synthetic people only; \`<file>.expect\` says how each ends
- \`messagefoundry.toml\`: how the instance runs

\`\`\`sh
messagefoundry validate                        # every problem, with its place
messagefoundry check --messages messages/sets  # the gate for commits and CI
messagefoundry dryrun --messages messages/sets/IB_ADT --show-phi --diff
deno task test                                 # unit tests
messagefoundry serve --env dev
\`\`\`

\`deno.json\` tells editors where the engine's modules are on this machine; point its imports at your
copy of the engine.
`;
