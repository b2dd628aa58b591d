import type { HostileCase } from "../hostile_case.ts";

export const BYTES = {} as const satisfies Readonly<Record<string, HostileCase>>;
