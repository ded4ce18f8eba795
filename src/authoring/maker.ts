/**
 * Keeps classes that authors meet as instances from being made by them: `thing.constructor` is within
 * everybody's reach, the symbol a module keeps to itself is not.
 */

/** @throws {TypeError} unless `by` is the module's own symbol. */
export function requireMaker(by: unknown, maker: symbol): void {
  if (by !== maker) throw new TypeError("Only the engine makes these");
}
