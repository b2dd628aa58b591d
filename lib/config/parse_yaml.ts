import { Buffer } from "node:buffer";
import { parseDocument, type ParseOptions, type SchemaOptions, visit } from "yaml";

/** Settings of {@link parseYaml}. */
export interface ParseYamlOptions
  extends Pick<ParseOptions & SchemaOptions, "uniqueKeys" | "merge"> {
  /** True: of several documents the first one counts; false: they are an error. Default false. */
  readonly firstOnly?: boolean;
}

/**
 * Parses YAML of which each value is meant as text: `012345` and `yes` stay what they are, where a
 * YAML parser makes a number or a truth value of them. What is empty or `null` is null.
 *
 * Programs in Go read a value into a text field in this way (gopkg.in/yaml.v2, decode.go).
 *
 * @throws {Error} if it is not YAML; the message quotes the text.
 */
export function parseYaml(
  text: string,
  { firstOnly = false, ...options }: ParseYamlOptions = {},
): unknown {
  const document = parseDocument(text, { ...options, logLevel: "error" });
  const error = document.errors.find(({ code }) => !(firstOnly && code === "MULTIPLE_DOCS"));
  if (error !== undefined) throw error;
  visit(document, {
    Scalar(_key, node) {
      if (node.value === null || node.source === undefined) return;
      const isBinary = node.tag === "tag:yaml.org,2002:binary";
      node.value = isBinary ? Buffer.from(node.source, "base64").toString() : node.source;
    },
  });
  return document.toJS();
}
