/** Version of this program, by semantic versioning. */
export const VERSION = "0.1.0";

/** Set by `deploy/compile.ts` at the head of each module of the compiled program. */
declare const __EDDY_COMMIT__: string | undefined;

/** The commit that the program was compiled from; undefined where it runs from source. */
export const COMPILED_COMMIT: string | undefined = typeof __EDDY_COMMIT__ === "string"
  ? __EDDY_COMMIT__
  : undefined;
