/** A source file and its text. */
export type Source = readonly [path: string, text: string];

const EXPORT = /^export (?:const|class|(?:async )?function\*?) ([\w$]+)/gm;
const CLASS = /^(?:export )?(?:abstract )?class .*?^}/gms;
const MEMBER =
  /^ {2}(?:(?:static|readonly|async|get|set) )*\*?(?:async )?([A-Za-z_$][\w$]*)\??(?:[(<:]| =)/gm;
const COMMENT = /^\s*(?:\/\/|\/?\*).*$/gm;

/**
 * Finds what nobody uses: exported values whose names are in no other file, and members of classes
 * whose names are nowhere else. Names are compared, not what they stand for: what is found is dead,
 * and what is dead may not be found.
 *
 * @param application files that are looked through; overrides, which a library calls, are left out.
 * @param users files besides that may use something, such as tests.
 */
export function findDeadCode(
  application: readonly Source[],
  users: readonly Source[] = [],
): string[] {
  const code = (text: string) => text.replaceAll(COMMENT, "");
  const files = [...application, ...users].map(([path, text]) =>
    [path, words(code(text))] as const
  );
  const isElsewhere = (name: string, path: string) =>
    files.some(([other, counts]) => other !== path && counts.has(name));
  const isOnlyHere = (name: string, path: string) =>
    files.find(([other]) => other === path)?.[1].get(name) === 1;
  return application.flatMap(([path, text]) => {
    const here = code(text);
    const exported = names(here, EXPORT).filter((name) => !isElsewhere(name, path));
    const members = [...here.matchAll(CLASS)].flatMap(([body]) => names(body, MEMBER))
      .filter((name) => name !== "constructor")
      .filter((name) => isOnlyHere(name, path) && !isElsewhere(name, path));
    return [...exported, ...members].map((name) => `${path}: nobody uses ${name}`);
  });
}

function names(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = ""]) => name);
}

function words(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [word] of text.matchAll(/[A-Za-z_$][\w$]*/g)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}
