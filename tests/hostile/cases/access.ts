import type { HostileCase } from "../hostile_case.ts";

export const ACCESS = {} as const satisfies Readonly<Record<string, HostileCase>>;
