import type { HostileCase } from "../hostile_case.ts";

export const FILES = {} as const satisfies Readonly<Record<string, HostileCase>>;
