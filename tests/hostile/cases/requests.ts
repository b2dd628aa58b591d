import type { HostileCase } from "../hostile_case.ts";

export const REQUESTS = {} as const satisfies Readonly<Record<string, HostileCase>>;
