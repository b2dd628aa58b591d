import type { HostileCase } from "../hostile_case.ts";

export const LIMITS = {} as const satisfies Readonly<Record<string, HostileCase>>;
