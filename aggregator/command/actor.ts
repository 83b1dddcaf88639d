// Who runs a command, as the audit names them.
import { userInfo } from "node:os";

export const actorOf = (): string => `command ${userInfo().username}`;
