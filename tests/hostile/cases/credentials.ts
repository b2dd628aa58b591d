import type { HostileCase } from "../hostile_case.ts";

export const CREDENTIALS = {} as const satisfies Readonly<Record<string, HostileCase>>;
