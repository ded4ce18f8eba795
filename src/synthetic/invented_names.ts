/**
 * Names nobody bears: each one says on sight that the person is not real.
 *
 * A new name must stay recognisable as invented; never add one from a census or a real roster.
 */

export const surnames: readonly string[] = [
  "Testerwell",
  "Mockingham",
  "Dummyfield",
  "Placeholder",
  "Samplewright",
  "Fauxborough",
  "Exampleton",
  "Fictionova",
  "Notreally",
  "Pretendergast",
  "Makebelief",
  "Imaginski",
  "Stubbington",
  "Fabricaro",
  "Nullmann",
  "O'Synthetic",
  "Simulacre",
  "Pseudonymson",
  "Loremipsum",
  "Van Der Fake",
  "Unrealdottir",
  "Syntheticus-Mock",
  "Phantasmore",
  "Dataless",
];

export const femaleNames: readonly string[] = [
  "Testina",
  "Mockelle",
  "Fauxine",
  "Demolia",
  "Synthiana",
  "Exampla",
  "Stubrina",
  "Fictoria",
  "Placebella",
  "Dummiette",
  "Simulina",
  "Protypa",
];

export const maleNames: readonly string[] = [
  "Testopher",
  "Mockbert",
  "Fauxton",
  "Demorick",
  "Synthaniel",
  "Examplius",
  "Stubwin",
  "Fictorio",
  "Placebold",
  "Dummiel",
  "Simulus",
  "Protypo",
];

export const clinicianSurnames: readonly string[] = [
  "Curemock",
  "Stethofake",
  "Doctoroid",
  "Scalpelmann",
  "Healsample",
  "Pulsetest",
  "Bandagio",
  "Rxample",
  "Diagnosia",
  "Wardwell-Stub",
];

export const streets: readonly string[] = [
  "Placeholder Lane",
  "Fixture Street",
  "Mockingbird Test Road",
  "Sample Square",
  "Nowhere Avenue",
  "Synthetic Mews",
  "Null Pointer Way",
  "Example Crescent",
];

/** Town and postal code; no country uses these codes. */
export const towns: readonly (readonly [town: string, postalCode: string])[] = [
  ["Testville", "00001"],
  ["Mockton", "00002"],
  ["Sampleford", "00003"],
  ["Faux Harbor", "00004"],
  ["Nowhere Springs", "00005"],
  ["Stub Hollow", "00006"],
];

export const employers: readonly string[] = [
  "Imaginary Widgets Inc",
  "Example Bakery Coop",
  "Testbed Railways",
  "Placeholder School District",
];
