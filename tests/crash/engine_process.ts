/**
 * The process the proof kills: the engine on one bundle, under narrow permissions.
 *
 * `deno run … engine_process.ts DIR` says "ready" once everything listens and stops at SIGTERM.
 */
import { systemClock } from "../../src/clock.ts";
import { Engine } from "../../src/engine.ts";
import { createLogger } from "../../src/logging/mod.ts";
import { loadSettings } from "../../src/settings/mod.ts";

const dir = Deno.args[0]!;
const path = `${dir}/messagefoundry.toml`;
const { settings } = loadSettings({ file: { path, text: await Deno.readTextFile(path) } });
const stopped = Promise.withResolvers<void>();
Deno.addSignalListener("SIGTERM", () => stopped.resolve());

const engine = await Engine.start({
  settings,
  bundleDir: dir,
  environment: "dev",
  env: { MEFOR_FAILPOINTS: Deno.env.get("MEFOR_FAILPOINTS") },
  logger: createLogger({
    level: "warning",
    format: "text",
    write: (line) => console.error(line),
  }),
  clock: systemClock,
});
console.log("ready");
await stopped.promise;
await engine[Symbol.asyncDispose]();
Deno.exit(0);
