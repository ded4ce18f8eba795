/**
 * Synthetic HL7 v2.5.1 traffic for demos, tests and measurements: conformant, repeatable, about nobody.
 * Upstream is nothing but a seed; downstream are the command line's `generate`, the demo, the bench and tests.
 * Clocks, files, sockets and anything learnt from real patients do not belong here.
 */

export {
  type GeneratedMessage,
  generateMessages,
  type GenerateOptions,
  listTypes,
} from "./generate.ts";
export type { Seed } from "./random.ts";
export {
  sizedMessage,
  type SizedOptions,
  type SizedTemplate,
  sizedTemplate,
  type SplicedParts,
} from "./sized.ts";
export { type StoryMessage, type StoryOptions, trafficStory } from "./story.ts";
