/**
 * What the dictionary leaves out or gets wrong, by our own reading of the standard.
 *
 * `build.ts` lays these over the dictionary's facts; the JSON files beside this one are its output.
 */

/** Changes to the definitions of some versions, in the notation of `build.ts`. */
export interface Correction {
  readonly versions: readonly string[];
  /** By segment and position: `"OBX-2"`. */
  readonly fields?: Readonly<Record<string, string>>;
  /** By type and position: `"MSG.3"`. */
  readonly components?: Readonly<Record<string, string>>;
  /** Grammars by structure. */
  readonly structures?: Readonly<Record<string, string>>;
  /** Structures by message code and trigger event. */
  readonly events?: Readonly<Record<string, string>>;
}

const from25 = ["2.5", "2.5.1", "2.6"];
const from27 = ["2.7", "2.7.1"];

export const corrections: readonly Correction[] = [
  {
    // The third component came with 2.3.1 and is longer than the field's printed length of 7.
    versions: ["2.2", "2.3"],
    fields: { "MSH-9": "CM_MSG!:15" },
  },
  { versions: ["2.3.1"], fields: { "MSH-9": "MSG!:15" } },
  {
    // The structure may be derived, and a general acknowledgment needs no trigger event.
    versions: ["2.3.1", "2.4", ...from25, ...from27],
    components: { "MSG.2": "ID:3#3", "MSG.3": "ID:7" },
  },
  {
    // Printed as 2 long, yet its own table names types of three letters.
    versions: ["2.1", "2.4", ...from25],
    fields: { "OBX-2": "ID:3#125" },
  },
  { versions: ["2.2", "2.3", "2.3.1"], fields: { "OBX-2": "ID!:3#125" } },
  { versions: from27, fields: { "OBX-2": "ID:3#125", "OBX-5": "VARIES*" } },
  // HL7 v2.5.1 §4.5.4.12 names the conjunction's table.
  { versions: from25, fields: { "TQ1-12": "ID:10#472" } },
  {
    versions: ["2.5", "2.5.1"],
    // Z-segments are passed over, so what follows MFE in a site-defined file need not be said.
    structures: { MFN_M01: "MSH [{SFT}] MFI {MFE}" },
    events: { MFN_M14: "MFN_M01" },
  },
  {
    // The dictionary has lost the beginning of these, and of ORI_O24 what may be left out.
    versions: ["2.6"],
    structures: {
      MFR_M04:
        "MSH [{SFT}] [UAC] MSA [{ERR}] [QAK] QRD [QRF] MFI {(MFE CDM [{LCH}] [{PRC}])} [DSC]",
      OMG_O19: "MSH [{SFT}] [UAC] [{NTE}] [(PID [PD1] [{NTE}] [{NK1}] [(PV1 [PV2])] " +
        "[{(IN1 [IN2] [IN3])}] [GT1] [{AL1}])] {(ORC [{(TQ1 [{TQ2}])}] OBR [{NTE}] [{ROL}] [CTD] " +
        "[{DG1}] [{(OBX [{NTE}])}] [{(SPM [{OBX}] [{(SAC [{OBX}])}])}] [{([(PID [PD1])] " +
        "[(PV1 [PV2])] [{AL1}] {([ORC] OBR [{(TQ1 [{TQ2}])}] [{NTE}] [{ROL}] [CTD] " +
        "{(OBX [{NTE}])})})}] [{FT1}] [{CTI}] [BLG])}",
      ORI_O24: "MSH MSA [{ERR}] [{SFT}] [UAC] [{NTE}] [([(PID [{NTE}])] " +
        "{(ORC [{(TQ1 [{TQ2}])}] OBR [{NTE}] {IPC})})]",
      ORR_O02: "MSH [{SFT}] [UAC] MSA [{ERR}] [{NTE}] [([(PID [{NTE}])] " +
        "{(ORC [<OBR|RQD|RQ1|RXO|ODS|ODT>] [{NTE}] [{CTI}])})]",
    },
  },
  { versions: [...from25, ...from27], events: { ORU_R31: "ORU_R30", ORU_R32: "ORU_R30" } },
];

/**
 * Most repetitions that the dictionary knows in 2.4 and in 2.7, but not between:
 * `"OBR-17": 2` reads: at most two call back numbers.
 */
export const repetitionsMax: Readonly<Record<string, number>> = {
  "CM0-3": 3,
  "CM2-4": 200,
  "CSR-11": 3,
  "CSR-12": 3,
  "CSR-13": 3,
  "CSS-3": 3,
  "OBR-17": 2,
  "ODS-2": 10,
  "ODS-3": 20,
  "ODS-4": 2,
  "ODT-2": 10,
  "ORC-14": 2,
  "PCR-12": 3,
  "PCR-21": 6,
  "PCR-22": 6,
  "PCR-23": 3,
  "PES-11": 2,
  "PSH-13": 8,
  "PSH-14": 8,
  "UB1-7": 5,
  "UB1-10": 8,
  "UB1-16": 5,
  "UB2-3": 7,
  "UB2-6": 12,
  "UB2-7": 8,
  "UB2-8": 2,
  "UB2-9": 2,
  "UB2-10": 2,
  "UB2-12": 3,
  "UB2-13": 23,
  "UB2-14": 5,
  "UB2-16": 2,
};

/** Versions whose repetitions `repetitionsMax` completes. */
export const repetitionsMaxVersions: readonly string[] = from25;

/**
 * Structures with one order detail out of several (HL7 v2.5.1 §4.4.1): the dictionary lets the choice
 * repeat. `true` where the detail's group cannot be without it.
 */
export const singleChoices: Readonly<Record<string, boolean>> = {
  ORM_O01: true,
  ORR_O02: false,
  OSR_Q06: false,
};

/**
 * HL7 tables whose codes are checked, beyond what the dictionary lists for them.
 *
 * Left out on purpose: user-defined tables (sites fill them), 0076 and 0354 (an unknown message
 * already fails), 0291 (MIME subtypes) and 0396 (coding systems), which are open registers, and 0359
 * and 0418, whose "2" stands for any rank from there on.
 */
export const tables: Readonly<Record<number, readonly string[]>> = {
  3: [],
  8: [],
  27: [],
  38: [],
  48: [],
  61: [],
  65: [],
  74: ["CG", "PAR"],
  78: [],
  80: [],
  85: [],
  91: [],
  100: [],
  103: [],
  105: [],
  106: [],
  107: [],
  108: [],
  109: [],
  119: ["PR", "RO"],
  121: [],
  122: [],
  123: [],
  124: [],
  // The rest of 0125 is every data type of the version but CM, CQ, SI and ID (§7.4.2.2).
  125: ["CE", "CK", "MA", "NA", "PN", "TN", "TS"],
  136: [],
  155: [],
  156: [],
  157: [],
  158: [],
  159: [],
  161: [],
  166: [],
  167: [],
  168: [],
  169: [],
  170: [],
  174: [],
  178: [],
  179: [],
  180: [],
  183: [],
  185: [],
  190: [],
  191: ["Application", "Audio", "Image", "TEXT"],
  200: [],
  201: [],
  202: [],
  203: ["GI", "NIIP", "MRT", "XX"],
  205: [],
  206: [],
  207: [],
  208: [],
  209: [],
  210: [],
  211: ["8859/10", "8859/13", "8859/14", "8859/16", "UTF-8", "JIS X 0201", "JIS X 0202"],
  224: [],
  225: [],
  234: [],
  235: [],
  236: [],
  237: [],
  238: [],
  239: [],
  240: [],
  241: [],
  242: [],
  243: [],
  248: [],
  250: [],
  251: [],
  252: [],
  253: [],
  267: [],
  268: [],
  269: [],
  271: [],
  272: [],
  273: [],
  275: [],
  287: [],
  298: [],
  299: [],
  301: ["CLIA", "CLIP", "EUI64", "UNIX"],
  321: [],
  322: [],
  329: [],
  330: [],
  331: [],
  332: [],
  337: [],
  355: [],
  356: [],
  395: [],
  397: [],
  398: [],
  // ISO 3166-1 alpha-3.
  399: [
    ...("ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA " +
      "BGD BGR BHR BHS BIH BLM BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN " +
      "CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU " +
      "EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN GLP GMB GNB " +
      "GNQ GRC GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL " +
      "ISR ITA JAM JEY JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO " +
      "LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR " +
      "MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR NPL NRU NZL OMN PAK PAN PCN PER " +
      "PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS SHN SJM " +
      "SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK " +
      "TKL TKM TLS TON TTO TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB VIR VNM " +
      "VUT WLF WSM YEM ZAF ZMB ZWE").split(" "),
  ],
  444: [],
  465: [],
  472: [],
  478: [],
  480: [],
  500: [],
  503: [],
  504: [],
  505: [],
  506: [],
  511: [],
  516: [],
  520: [],
  523: [],
  524: [],
  527: [],
  528: [],
  529: ["Y", "L", "D", "H", "M", "S"],
  532: [],
  617: [],
};
