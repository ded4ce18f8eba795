/** `messagefoundry gen-key`: a key for the store, and nothing else on standard output. */
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { exitCodes } from "./failure.ts";

/** AES-256 takes 32 bytes. Source: A `[store]` encryption_key. */
const KEY_BYTES = 32;

export function declareGenKey(program: CliCommand, { terminal }: CliContext): void {
  program.command("gen-key")
    .description("Print a new random key for MEFOR_STORE_ENCRYPTION_KEY")
    .runs(() => {
      terminal.out(crypto.getRandomValues(new Uint8Array(KEY_BYTES)).toBase64());
      return Promise.resolve(exitCodes.ok);
    });
}
