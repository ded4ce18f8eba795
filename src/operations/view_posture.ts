/** Shows how this instance is classed and whether its store is sealed; never a key. */
import { operation } from "./operation.ts";

/** Source: spec api §1.2. */
export interface SecurityPosture {
  readonly dataClass: string | undefined;
  readonly production: boolean;
  readonly environment: string | undefined;
  readonly backend: string;
  /** Of the key that seals new cells, by the cipher that runs. */
  readonly keyId: string | undefined;
  readonly keySource: string;
  readonly requireEncryption: boolean;
  /** As it is set: a store without a key is warned about and never needs it. */
  readonly allowUnencryptedPhi: boolean;
}

export const viewPosture = operation({
  permission: "monitoring:read",
  run({ settings: { ai, store: settings }, store }) {
    const { backend, keyProvider, requireEncryption, allowUnencryptedPhi } = settings;
    const posture: SecurityPosture = {
      dataClass: ai.dataClass,
      // Nobody has said that it is none.
      production: ai.production ?? true,
      environment: ai.environment,
      backend,
      keyId: store.keyId,
      keySource: keyProvider,
      requireEncryption,
      allowUnencryptedPhi,
    };
    return Promise.resolve(posture);
  },
  audit: () => ({ action: "security.posture_view", fields: {} }),
});
