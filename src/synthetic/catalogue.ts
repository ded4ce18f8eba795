/**
 * What synthetic patients are tested for, diagnosed with, allergic to, given and billed for.
 *
 * Codes are real (LOINC, ICD-10-CM, CVX, UCUM, HL7 tables) so that maps and code sets have something
 * to work on; payers, wards and products are invented. Numbers are plausible, not medical advice.
 */

/** One measured quantity: what a healthy value is and how far a sick one strays. */
export interface Analyte {
  /** LOINC code, check digit included. */
  readonly code: string;
  readonly name: string;
  /** UCUM unit, empty for a ratio. */
  readonly unit: string;
  readonly low: number;
  readonly high: number;
  /** Digits after the decimal point. */
  readonly decimals: number;
}

/** What one OBR orders: a battery of analytes from one specimen. */
export interface Panel {
  readonly code: string;
  readonly name: string;
  /** Diagnostic service section, HL7 table 0074. */
  readonly section: string;
  /** Specimen type, HL7 table 0487. */
  readonly specimen: readonly [code: string, name: string];
  readonly analytes: readonly Analyte[];
}

type AnalyteRow = [
  code: string,
  name: string,
  unit: string,
  low: number,
  high: number,
  decimals: number,
];

function analytes(rows: readonly AnalyteRow[]): Analyte[] {
  return rows.map(([code, name, unit, low, high, decimals]) => ({
    code,
    name,
    unit,
    low,
    high,
    decimals,
  }));
}

export const panels: readonly Panel[] = [
  {
    code: "58410-2",
    name: "Complete blood count",
    section: "HM",
    specimen: ["WB", "Blood, Whole"],
    analytes: analytes([
      ["6690-2", "Leukocytes", "10*3/uL", 4.5, 11, 1],
      ["789-8", "Erythrocytes", "10*6/uL", 4.2, 5.9, 2],
      ["718-7", "Hemoglobin", "g/dL", 12, 17.5, 1],
      ["4544-3", "Hematocrit", "%", 36, 51, 1],
      ["787-2", "Mean corpuscular volume", "fL", 80, 100, 1],
      ["785-6", "Mean corpuscular hemoglobin", "pg", 27, 33, 1],
      ["777-3", "Platelets", "10*3/uL", 150, 400, 0],
    ]),
  },
  {
    code: "24323-8",
    name: "Comprehensive metabolic panel",
    section: "CH",
    specimen: ["SER", "Serum"],
    analytes: analytes([
      ["2345-7", "Glucose", "mg/dL", 70, 99, 0],
      ["3094-0", "Urea nitrogen", "mg/dL", 7, 20, 0],
      ["2160-0", "Creatinine", "mg/dL", 0.6, 1.3, 2],
      ["2951-2", "Sodium", "mmol/L", 136, 145, 0],
      ["2823-3", "Potassium", "mmol/L", 3.5, 5.1, 1],
      ["2075-0", "Chloride", "mmol/L", 98, 107, 0],
      ["17861-6", "Calcium", "mg/dL", 8.5, 10.2, 1],
      ["1742-6", "Alanine aminotransferase", "U/L", 7, 56, 0],
      ["1920-8", "Aspartate aminotransferase", "U/L", 10, 40, 0],
      ["1975-2", "Bilirubin total", "mg/dL", 0.1, 1.2, 1],
    ]),
  },
  {
    code: "24331-1",
    name: "Lipid panel",
    section: "CH",
    specimen: ["SER", "Serum"],
    analytes: analytes([
      ["2093-3", "Cholesterol", "mg/dL", 125, 200, 0],
      ["2571-8", "Triglyceride", "mg/dL", 40, 150, 0],
      ["2085-9", "Cholesterol in HDL", "mg/dL", 40, 80, 0],
      ["13457-7", "Cholesterol in LDL calculated", "mg/dL", 50, 130, 0],
    ]),
  },
  {
    code: "24348-5",
    name: "Thyroid panel",
    section: "CH",
    specimen: ["SER", "Serum"],
    analytes: analytes([
      ["3016-3", "Thyrotropin", "m[IU]/L", 0.4, 4, 2],
      ["3024-7", "Thyroxine free", "ng/dL", 0.8, 1.8, 2],
    ]),
  },
  {
    code: "34528-0",
    name: "Coagulation panel",
    section: "HM",
    specimen: ["PLAS", "Plasma"],
    analytes: analytes([
      ["5902-2", "Prothrombin time", "s", 11, 13.5, 1],
      ["6301-6", "INR", "", 0.8, 1.1, 1],
      ["14979-9", "Activated partial thromboplastin time", "s", 25, 35, 1],
    ]),
  },
];

export const labComments: readonly string[] = [
  "Synthetic result, not for clinical use.",
  "Specimen slightly hemolyzed; potassium may read high.",
  "Repeated \\T\\ confirmed on a second analyzer.",
  "Reference ranges are those of the invented laboratory.",
];

export interface Coded {
  readonly code: string;
  readonly name: string;
}

function coded(rows: readonly (readonly [string, string])[]): Coded[] {
  return rows.map(([code, name]) => ({ code, name }));
}

/** ICD-10-CM. */
export const diagnoses: readonly Coded[] = coded([
  ["I10", "Essential (primary) hypertension"],
  ["E11.9", "Type 2 diabetes mellitus without complications"],
  ["J18.9", "Pneumonia, unspecified organism"],
  ["N39.0", "Urinary tract infection, site not specified"],
  ["R07.9", "Chest pain, unspecified"],
  ["S52.501A", "Fracture of lower end of right radius"],
  ["K35.80", "Unspecified acute appendicitis"],
  ["J45.909", "Unspecified asthma, uncomplicated"],
]);

/** Allergen and what it does. */
export interface Allergy extends Coded {
  /** HL7 table 0127. */
  readonly type: string;
  /** At most 15 characters, AL1-5. */
  readonly reaction: string;
}

export const allergies: readonly Allergy[] = [
  { type: "DA", code: "PCN", name: "Penicillin", reaction: "Hives" },
  { type: "DA", code: "SULF", name: "Sulfonamides", reaction: "Rash" },
  { type: "FA", code: "PNUT", name: "Peanut", reaction: "Anaphylaxis" },
  { type: "EA", code: "POLL", name: "Grass pollen", reaction: "Rhinitis" },
  { type: "MA", code: "LATX", name: "Latex", reaction: "Dermatitis" },
];

export interface Drug extends Coded {
  readonly dose: string;
  readonly unit: string;
  /** HL7 table 0162. */
  readonly route: string;
  readonly form: string;
  /** HL7 table 0335 repeat pattern. */
  readonly repeat: string;
}

export const drugs: readonly Drug[] = [
  { code: "ZZ101", name: "Mockacillin", dose: "500", unit: "mg", route: "PO", form: "CAP" },
  { code: "ZZ102", name: "Testoprolol", dose: "25", unit: "mg", route: "PO", form: "TAB" },
  { code: "ZZ103", name: "Samplifloxacin", dose: "400", unit: "mg", route: "IV", form: "SOL" },
  { code: "ZZ104", name: "Placebomycin", dose: "250", unit: "mg", route: "IV", form: "SOL" },
  { code: "ZZ105", name: "Fauxetamol", dose: "650", unit: "mg", route: "PO", form: "TAB" },
].map((drug, index) => ({ ...drug, repeat: ["BID", "QD", "Q12H", "Q8H", "Q6H"][index] ?? "QD" }));

/** CVX. */
export const vaccines: readonly Coded[] = coded([
  ["03", "MMR"],
  ["20", "DTaP"],
  ["21", "Varicella"],
  ["08", "Hep B, adolescent or pediatric"],
  ["141", "Influenza, seasonal, injectable"],
]);

/** CPT-like, but from an invented list, for CPT itself is licensed. */
export const procedures: readonly Coded[] = coded([
  ["ZP100", "Office visit, established patient"],
  ["ZP210", "Chest imaging, two views"],
  ["ZP320", "Venous blood draw"],
  ["ZP430", "Appendectomy, laparoscopic"],
]);

export const payers: readonly Coded[] = coded([
  ["MOCKCARE", "Mockcare National"],
  ["SAMPLEHP", "Sample Health Plan"],
  ["FAUXMUT", "Faux Mutual"],
]);

/** Point of care with its patient class, HL7 table 0004. */
export const wards: readonly (Coded & { readonly patientClass: string })[] = [
  { code: "MED1", name: "Medicine 1", patientClass: "I" },
  { code: "SURG2", name: "Surgery 2", patientClass: "I" },
  { code: "ICU", name: "Intensive care", patientClass: "I" },
  { code: "ED", name: "Emergency", patientClass: "E" },
  { code: "OPD", name: "Outpatient clinic", patientClass: "O" },
];
