/**
 * The Active Directory as this room asks it: who somebody is, and which groups hold them.
 *
 * Upstream: `auth/directory_sign_in.ts`. Downstream: the directory server. Not here: accounts, roles,
 * sessions.
 */
export { Directory, type DirectoryAnswer, type DirectoryUser } from "./directory.ts";
export { DirectoryError } from "./errors.ts";
