import type { Setting } from "../debug_source.ts";
import type { Check } from "../../../ports/check.ts";
import { Badge, type BadgeKind, Card, Empty } from "./layout.tsx";

const STATES: Readonly<Record<Check["state"], readonly [BadgeKind, string]>> = {
  ok: ["good", "✓ ok"],
  warning: ["warning", "! warning"],
  failed: ["bad", "✗ failed"],
  skipped: ["plain", "– left out"],
};

/** Results of the node checks. */
export function ChecksPage({ checks }: { checks: readonly Check[] }) {
  const failed = checks.filter(({ state }) => state === "failed").length;
  const warnings = checks.filter(({ state }) => state === "warning").length;
  const kind = failed > 0 ? "bad" : warnings > 0 ? "warning" : "good";
  return (
    <>
      <div class={`hero ${kind}`}>
        <h1>
          {failed > 0
            ? `${failed} of ${checks.length} checks failed`
            : warnings > 0
            ? `${warnings} of ${checks.length} checks with a warning`
            : "All checks passed"}
        </h1>
        <p>
          Whether containerd, the configuration and the network of this node fit. On the node,{" "}
          <code>eddy doctor</code> looks further.
        </p>
      </div>
      <Card title="Checks">
        {checks.length === 0
          ? <Empty>There is nothing to check for this kind of store.</Empty>
          : (
            <ul class="checks">
              {checks.map(({ name, state, detail, fix }) => (
                <li>
                  <Badge kind={STATES[state][0]}>{STATES[state][1]}</Badge>
                  <div>
                    <b>{name}</b>
                    <p>{detail}</p>
                    {fix === "" ? null : <p class="fix">{fix}</p>}
                  </div>
                </li>
              ))}
            </ul>
          )}
      </Card>
    </>
  );
}

/** Effective options. */
export function SettingsPage({ settings }: { settings: readonly Setting[] }) {
  const changed = settings.filter(({ isDefault }) => !isDefault);
  return (
    <>
      <h1>Configuration in force</h1>
      <p class="lead">
        From flags, environment variables and the configuration file together. Secrets are masked.
      </p>
      <Card title="Set here" note={String(changed.length)}>
        <Settings settings={changed} />
      </Card>
      <Card title="At their defaults" note={String(settings.length - changed.length)}>
        <Settings settings={settings.filter(({ isDefault }) => isDefault)} />
      </Card>
    </>
  );
}

function Settings({ settings }: { settings: readonly Setting[] }) {
  if (settings.length === 0) return <Empty>None.</Empty>;
  return (
    <table>
      <thead>
        <tr>
          <th>Option</th>
          <th>Value</th>
          <th>What it does</th>
        </tr>
      </thead>
      <tbody>
        {settings.map(({ flag, value, help }) => (
          <tr>
            <td data-label="Option" class="mono">--{flag}</td>
            <td data-label="Value" class="mono wide value">{value === "" ? "–" : value}</td>
            <td data-label="What it does" class="wide quiet">{help}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
