/**
 * The gate for commits and CI: is this bundle fit to be deployed?
 *
 * Required checks decide, advisory ones inform. Linter and type checker are programs of their own,
 * so the CLI hands them in. Source: spec connectors-and-graph §6.3.
 */
import { type LoadedSettings, postureOf } from "../settings/mod.ts";
import { errorText } from "../errors.ts";
import type { Bundle } from "./bundle.ts";
import { dryRun, type DryRunInbound, dryRunInbounds, type DryRunSandbox } from "./dryrun.ts";
import { collectFixtures, type Fixture, folderOf } from "./fixtures.ts";
import { declareBundle, type DeclaredBundle, type DeclareOptions } from "./load.ts";
import { graphProblemText } from "./problems.ts";

export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly required: boolean;
  readonly skipped: boolean;
  readonly detail: string;
}

export interface CheckReport {
  /** False when a required check ran and failed. */
  readonly ok: boolean;
  readonly checks: readonly CheckResult[];
}

/** A check that only informs: linter, type checker. */
export interface AdvisoryCheck {
  readonly name: string;
  run(): Promise<{ readonly ok: boolean; readonly skipped?: boolean; readonly detail: string }>;
}

export interface CheckOptions<S extends Disposable> extends DeclareOptions<S> {
  /** Directory of fixtures; undefined skips the dry run. */
  readonly messages: string | undefined;
  /** Gives each message an empty state. */
  readonly runnerOf: (sandbox: S) => DryRunSandbox;
  /** Settings of the service; undefined when there is no service file. */
  readonly settings: LoadedSettings | undefined;
  readonly advisory: readonly AdvisoryCheck[];
  /** Epoch seconds given to every message. */
  readonly ingestTime: number;
}

/** Runs every check; a check that fails does not stop the next. */
export async function checkBundle<S extends Disposable>(
  options: CheckOptions<S>,
): Promise<CheckReport> {
  const declared = await declareBundle(options);
  const checks: CheckResult[] = [validateCheck(declared)];
  try {
    checks.push(await dryRunCheck(declared, options));
  } finally {
    declared.sandbox?.[Symbol.dispose]();
  }
  checks.push(postureCheck(options.settings));
  checks.push(interpolationCheck(declared.bundle));
  for (const advisory of options.advisory) checks.push(await advise(advisory));
  return { ok: checks.every(({ ok, required, skipped }) => ok || !required || skipped), checks };
}

type Verdict = Pick<CheckResult, "ok" | "detail"> & { readonly skipped?: boolean };

function required(name: string, { ok, detail, skipped = false }: Verdict): CheckResult {
  return { name, ok, required: true, skipped, detail };
}

function validateCheck<S>({ problems }: DeclaredBundle<S>): CheckResult {
  const errors = problems.filter(({ severity }) => severity === "error");
  const detail = errors.length === 0 ? "no problems" : errors.map(graphProblemText).join("\n");
  return required("validate", { ok: errors.length === 0, detail });
}

async function dryRunCheck<S extends Disposable>(
  { declared, sandbox }: DeclaredBundle<S>,
  { messages, runnerOf, ingestTime }: CheckOptions<S>,
): Promise<CheckResult> {
  const name = "dryrun";
  if (messages === undefined) {
    return required(name, { ok: true, skipped: true, detail: "no fixtures" });
  }
  let fixtures: readonly Fixture[];
  try {
    fixtures = await collectFixtures([messages], { recursive: true });
  } catch (thrown) {
    return required(name, { ok: false, detail: errorText(thrown) });
  }
  if (fixtures.length === 0) {
    return required(name, { ok: true, skipped: true, detail: `no *.hl7 in "${messages}"` });
  }
  if (declared === undefined || sandbox === undefined) {
    return required(name, { ok: false, detail: "the bundle does not load" });
  }
  const failures: string[] = [];
  let runs = 0;
  const inbounds = dryRunInbounds(declared);
  const options = { sandbox: runnerOf(sandbox), ingestTime, showPhi: false, diff: false };
  for (const fixture of fixtures) {
    const expected = await expectationOf(fixture.path);
    for (const inbound of targetsOf({ fixture, messages, inbounds })) {
      for (const row of await dryRun([fixture], inbound, options)) {
        runs++;
        const failure = compare(row.disposition.toUpperCase(), expected);
        if (failure === undefined) continue;
        const reason = row.error === null ? "" : ` (${row.error})`;
        failures.push(`${fixture.path}: ${row.source} on ${inbound.name}: ${failure}${reason}`);
      }
    }
  }
  const ran = `${runs} runs of ${fixtures.length} files`;
  return failures.length === 0
    ? required(name, { ok: true, detail: ran })
    : required(name, { ok: false, detail: `${ran}\n${failures.join("\n")}` });
}

/** A file in a folder named after an inbound is for that inbound, any other is for all. */
function targetsOf(
  { fixture, messages, inbounds }: {
    fixture: Fixture;
    messages: string;
    inbounds: readonly DryRunInbound[];
  },
): readonly DryRunInbound[] {
  const folder = folderOf(messages, fixture.path);
  const own = inbounds.filter(({ name }) => name === folder);
  return own.length > 0 ? own : inbounds;
}

const DISPOSITIONS: ReadonlyMap<string, string> = new Map([
  ["RECEIVED", "RECEIVED"],
  ["PROCESSED", "RECEIVED"],
  ["ROUTED", "RECEIVED"],
  ["DELIVERED", "RECEIVED"],
  ["DELIVERS", "RECEIVED"],
  ["UNROUTED", "UNROUTED"],
  ["FILTERED", "FILTERED"],
  ["ERROR", "ERROR"],
]);

async function expectationOf(path: string): Promise<string | undefined> {
  try {
    return (await Deno.readTextFile(`${path}.expect`)).trim().toUpperCase();
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
}

function compare(disposition: string, expected: string | undefined): string | undefined {
  if (expected === undefined) return disposition === "ERROR" ? "must not be ERROR" : undefined;
  const wanted = DISPOSITIONS.get(expected);
  if (wanted === undefined) return `unknown expectation "${expected.slice(0, 40)}"`;
  return wanted === disposition ? undefined : `is ${disposition}, not ${wanted}`;
}

/** A name of the operator's own must say whose data it is and whether it is production. */
function postureCheck(settings: LoadedSettings | undefined): CheckResult {
  const ai = settings?.settings.ai;
  if (ai?.environment === undefined) {
    return required("posture", { ok: true, skipped: true, detail: "no environment is set" });
  }
  const result = postureOf(ai);
  if ("problem" in result) {
    return required("posture", { ok: false, detail: result.problem.message });
  }
  const { environment, dataClass, production } = result.posture;
  const tier = production ? "production" : "not production";
  return required("posture", { ok: true, detail: `${environment}: ${dataClass}, ${tier}` });
}

/** An error built from variables may carry a patient's value into logs and rows. */
function interpolationCheck(bundle: Bundle | undefined): CheckResult {
  const found: string[] = [];
  for (const { path, text } of [...bundle?.modules ?? [], ...bundle?.helpers ?? []]) {
    for (
      const match of text.matchAll(
        /\bthrow\s+new\s+[\w$.]+\s*\(\s*(`[^`]{0,500}?\$\{|"[^"\n]*"\s*\+|'[^'\n]*'\s*\+)/g,
      )
    ) {
      const line = text.slice(0, match.index).split("\n").length;
      found.push(
        `${path}:${line}: an error is built from a variable; name the path, not its value`,
      );
    }
  }
  return {
    name: "interpolated-throw",
    ok: found.length === 0,
    required: false,
    skipped: bundle === undefined,
    detail: found.length === 0 ? "none found" : found.join("\n"),
  };
}

async function advise({ name, run }: AdvisoryCheck): Promise<CheckResult> {
  try {
    const { ok, detail, skipped = false } = await run();
    return { name, ok, required: false, skipped, detail };
  } catch (thrown) {
    return { name, ok: false, required: false, skipped: true, detail: errorText(thrown) };
  }
}
