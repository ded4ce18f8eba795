/** Everything one generated message is about, from which each segment takes what it tells. */

import { firstInstantMs, hourMs, minuteMs } from "./calendar.ts";
import { type Case, inventCase, inventOrders, inventVisit } from "./cases.ts";
import { type Drug, drugs } from "./catalogue.ts";
import type { Order } from "./laboratory.ts";
import { Random, type Seed } from "./random.ts";
import type { Visit } from "./segments.ts";

export interface Scene {
  readonly trigger: string;
  readonly file: Case;
  readonly visit: Visit;
  readonly orders: readonly Order[];
  readonly drugs: readonly Drug[];
  readonly random: Random;
  /** Decimal, unique within one run: makes identifiers of orders and documents unique. */
  readonly number: string;
  readonly controlId: string;
  readonly sentMs: number;
  /** Who else is concerned: the swapped, linked or merged person. */
  readonly other: { readonly file: Case; readonly visit: Visit };
}

export interface SceneOptions {
  readonly seed: Seed;
  /** From 0. */
  readonly index: number;
  readonly trigger: string;
  readonly controlId: string;
}

/** Sets the scene of message number `index` of a run. */
export function setScene({ seed, index, trigger, controlId }: SceneOptions): Scene {
  const random = new Random(`${seed}/scene/${index}`);
  const sentMs = firstInstantMs + index * 7 * minuteMs;
  const number = String(index + 1).padStart(9, "0");
  const file = inventCase(seed, 2 * index);
  const arrivedMs = sentMs - random.int(6, 30) * hourMs;
  const visit = inventVisit(file.person, 1, { random, arrivedMs });
  const otherFile = inventCase(seed, 2 * index + 1);
  const isLeaving = trigger === "A03" || trigger === "A16" || trigger === "P06";
  return {
    trigger,
    file,
    visit: isLeaving ? { ...visit, dischargedMs: sentMs - 10 * minuteMs } : visit,
    orders: inventOrders(visit, number, { random, orderedMs: sentMs - hourMs }),
    drugs: random.some(drugs, random.int(1, 2)),
    random,
    number,
    controlId,
    sentMs,
    other: { file: otherFile, visit: inventVisit(otherFile.person, 1, { random, arrivedMs }) },
  };
}
