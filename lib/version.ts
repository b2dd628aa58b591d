/** Version of this program, by semantic versioning. */
export const VERSION = "0.1.0";
