/** Creates a local account; the first administrator is retired when another one is there. */
import type { Account, NewAccount } from "../auth/mod.ts";
import { authOf, by, type HasAccounts } from "./identity.ts";
import { operation } from "./operation.ts";

export const createUser = operation({
  permission: "users:manage",
  async run(engine: HasAccounts, input: NewAccount, _rowOf, actor): Promise<Account> {
    const auth = authOf(engine);
    const account = await auth.accounts.create(by(actor), input);
    await auth.afterNewAdministrator();
    return account;
  },
});
