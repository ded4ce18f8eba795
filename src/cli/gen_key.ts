/** `messagefoundry gen-key`: a key for the store, and nothing else on standard output. */
import { KEY_BYTES } from "../crypto/keys.ts";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { exitCodes } from "./failure.ts";

export function declareGenKey(program: CliCommand, { terminal }: CliContext): void {
  program.command("gen-key")
    .description("Print a new random key for MEFOR_STORE_ENCRYPTION_KEY")
    .runs(() => {
      terminal.out(crypto.getRandomValues(new Uint8Array(KEY_BYTES)).toBase64());
      return Promise.resolve(exitCodes.ok);
    });
}
