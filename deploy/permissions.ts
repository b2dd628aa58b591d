import { ENVIRONMENT_VARIABLES } from "../lib/commands/environment.ts";
import { SYSTEMCTL_PATHS } from "../lib/commands/service/systemctl.ts";

/** Never written to, whatever the configuration says: kernel, devices, programs, accounts. */
const NEVER_WRITTEN = [
  "/proc",
  "/sys",
  "/dev",
  "/boot",
  "/bin",
  "/sbin",
  "/lib",
  "/lib64",
  "/usr/bin",
  "/usr/sbin",
  "/usr/lib",
  "/etc/passwd",
  "/etc/group",
  "/etc/shadow",
  "/etc/gshadow",
  "/etc/sudoers",
  "/etc/sudoers.d",
  "/etc/pam.d",
  "/etc/ssh",
  "/etc/cron.d",
  "/etc/crontab",
  "/root/.ssh",
];
/** Secrets of the node that are none of Eddy's business. */
const SECRETS = [
  "/etc/shadow",
  "/etc/gshadow",
  "/etc/sudoers",
  "/etc/sudoers.d",
  "/root/.ssh",
  "/etc/kubernetes/pki",
];
/**
 * Never read: those, and in a pod, where the node's /etc is mounted for its certificate authorities,
 * all directories with keys and configurations of other programs.
 */
const NEVER_READ = [
  ...SECRETS,
  ...SECRETS.map((path) => `/host${path}`),
  ...["kubernetes", "rancher", "cni", "containerd", "docker", "ssh", "NetworkManager", "systemd"]
    .map((name) => `/host/etc/${name}`),
];

/**
 * What the compiled program is granted; everything else is denied, without a question.
 * docs/security.md says what each is for.
 */
export const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  `--deny-read=${NEVER_READ}`,
  "--allow-write",
  `--deny-write=${NEVER_WRITTEN}`,
  `--allow-env=${ENVIRONMENT_VARIABLES}`,
  "--allow-sys=hostname,networkInterfaces,statfs,uid",
  `--allow-run=${SYSTEMCTL_PATHS}`,
  // Nowhere: left out, well-known hosts of code would be allowed.
  "--allow-import=localhost:1",
];
