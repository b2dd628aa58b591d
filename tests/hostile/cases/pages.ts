import type { HostileCase } from "../hostile_case.ts";

export const PAGES = {} as const satisfies Readonly<Record<string, HostileCase>>;
