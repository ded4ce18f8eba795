/** The options of `serve`, shared by its declaration, the launcher and the engine. */
import type { AnchorOptions } from "../anchor.ts";

export interface ServeOptions extends AnchorOptions {
  readonly db?: string;
  readonly host?: string;
  readonly port?: string;
  readonly logLevel?: string;
  readonly allowInsecureBind?: boolean;
  readonly allowBroadPermissions?: boolean;
  /** Run the engine in this very process. */
  readonly engine?: boolean;
  /** Load the bundle again whenever a file of it changes. */
  readonly watch?: boolean;
  /** The launcher has a terminal: its hang-up is a stop, not a reload. */
  readonly hangupStops?: boolean;
  /** Stop when standard input ends: the launcher holds the other end. */
  readonly launched?: boolean;
}

/** Returns the flags that stand for settings, by `"section.key"`. */
export function settingFlags(options: ServeOptions): Readonly<Record<string, unknown>> {
  return {
    "store.path": options.db,
    "api.host": options.host,
    "api.port": options.port,
    "logging.level": options.logLevel,
  };
}
