/** The version of this engine, as `--version` and the API show it. */
export const VERSION = "0.1.0";
