import { parseDocument, type ParseOptions, type SchemaOptions, visit } from "yaml";

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
  options: Pick<ParseOptions & SchemaOptions, "uniqueKeys" | "merge"> = {},
): unknown {
  const document = parseDocument(text, { ...options, logLevel: "error" });
  const [error] = document.errors;
  if (error !== undefined) throw error;
  visit(document, {
    Scalar(_key, node) {
      if (node.value !== null && node.source !== undefined) node.value = node.source;
    },
  });
  return document.toJS();
}
