/** Imported first by the program, for its effect: see {@link narrowEnvironment}. */
import { narrowEnvironment } from "./environment.ts";

narrowEnvironment();
