/** What every subcommand is given. */
import type { Terminal } from "./terminal.ts";

export interface CliContext {
  readonly terminal: Terminal;
  /** The arguments as given, without a leading `-m messagefoundry`. */
  readonly args: readonly string[];
  /** The `MEFOR_*` variables; undefined when this process may not list them. */
  readonly env: Readonly<Record<string, string>> | undefined;
  /** `MEFOR_DEBUG=1`: errors show their stack. */
  readonly isDebug: boolean;
}

/** Ends a subcommand with an exit code. */
export type Run = () => Promise<number>;
