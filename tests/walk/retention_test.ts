/** Retention in a whole engine: bodies, state, replay, figures, and counters that reconcile (I75). */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { localOperator, OperationError, replayMessage } from "../../src/operations/mod.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { until } from "../connectors/waiting.ts";
import { admission, Walk } from "./bench.ts";
import { freePort } from "./ports.ts";
