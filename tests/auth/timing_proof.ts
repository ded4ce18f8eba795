/**
 * Measures whether a sign-in tells by its duration that a name exists: `deno task proof:timing`.
 *
 * Known, unknown and known again in turn, over HTTP to a whole engine. The middle difference has to
 * stay within what two sign-ins of the same name differ; exit code 1 otherwise. For a quiet machine,
 * which is why the suite only counts hashes and commits.
 */
import { ApiBench } from "../api/bench.ts";
import { unlimited } from "../api/client.ts";
import { seedUser } from "./bench.ts";

const ROUNDS = 40;
/** Differences below are no signal a client could tell from a network. */
const NOISE_MS_MIN = 5;

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[list.length >> 1]!;
}

if (import.meta.main) {
  await using bench = await ApiBench.open({
    settings: `${unlimited}lockout_threshold = 1000000\n`,
  });
  await seedUser(bench.walk.engine.store, "known");
  const time = async (username: string) => {
    const start = performance.now();
    await bench.post("/auth/login", { username, password: "wrong and long enough" });
    return performance.now() - start;
  };
  for (let n = 0; n < 3; n++) await time("known");
  const differences: number[] = [];
  const noise: number[] = [];
  for (let n = 0; n < ROUNDS; n++) {
    const [known, unknown, again] = [
      await time("known"),
      await time("nobody"),
      await time("known"),
    ];
    differences.push(unknown - (known + again) / 2);
    noise.push(Math.abs(again - known));
  }
  const [difference, usual] = [median(differences), Math.max(median(noise), NOISE_MS_MIN)];
  console.log(
    `unknown - known: ${difference.toFixed(2)} ms in the middle of ${ROUNDS}; ` +
      `two of the same name: ${median(noise).toFixed(2)} ms`,
  );
  if (Math.abs(difference) > usual) Deno.exit(1);
}
