/** The unit that `eddy install` writes, equal to deploy/systemd/eddy.service. */
export const SERVICE_UNIT =
  `# Put your own settings into /etc/eddy/eddy.env, or into a drop-in by "systemctl edit eddy": this file
# is replaced by "eddy install".

[Unit]
Description=Eddy, mirror of container images between nodes
# Ordered after whichever of them runs here; none is required.
After=network-online.target containerd.service
After=k3s.service k3s-agent.service rke2-server.service rke2-agent.service
After=k0scontroller.service k0sworker.service snap.microk8s.daemon-containerd.service
Wants=network-online.target
# Restarts by RestartSec= stay below this limit: a node whose containerd is down for long has its
# agent back as soon as containerd is.
StartLimitIntervalSec=60
StartLimitBurst=20

[Service]
Type=notify
Environment=DATA_DIR=/var/lib/eddy
EnvironmentFile=-/etc/eddy/eddy.env
ExecStart=/usr/local/bin/eddy agent
Restart=on-failure
RestartSec=5
# It says itself when it is ready; until then it is not killed for being slow.
TimeoutStartSec=infinity
# Transfers under way have 30 s to end.
TimeoutStopSec=40
# It gives signs of life from its event loop; one that hangs is restarted.
WatchdogSec=60

StateDirectory=eddy
StateDirectoryMode=0700
RuntimeDirectory=eddy
RuntimeDirectoryMode=0700
LimitNOFILE=65536
OOMScoreAdjust=-100

# It writes below these, its state and nothing else. Another directory of registry hosts needs
# another line in a drop-in.
ProtectSystem=strict
ReadWritePaths=-/etc/containerd
ReadWritePaths=-/var/lib/rancher/k3s/agent/etc/containerd
ReadWritePaths=-/var/lib/rancher/rke2/agent/etc/containerd
ReadWritePaths=-/etc/k0s/containerd.d
ReadWritePaths=-/var/snap/microk8s/current/args
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
ProtectProc=invisible
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes

# Root, since containerd's socket and content are root's, but without root's powers: what is left
# keeps owner and mode of users' hosts.toml files.
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER
AmbientCapabilities=
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallFilter=@chown
SystemCallErrorNumber=EPERM
# MemoryDenyWriteExecute= has to stay off: V8 compiles JavaScript to machine code as it runs.

[Install]
WantedBy=multi-user.target
`;

/** The environment file that `eddy install` writes, equal to deploy/systemd/eddy.env. */
export const SERVICE_ENVIRONMENT =
  `# Settings of eddy.service, read when it starts: "systemctl restart eddy" after a change. Any option
# of "eddy help agent" can be set by the name of its environment variable. "eddy install" leaves this
# file as it is once it is there.

# How this node finds the others. One of:
#BOOTSTRAP_KIND=dns
#DNS_BOOTSTRAP_DOMAIN=eddy.example.internal

#BOOTSTRAP_KIND=static
#STATIC_BOOTSTRAP_PEERS=10.0.0.1:5001,10.0.0.2:5001

#BOOTSTRAP_KIND=mdns

# The registries that are mirrored; all of them unless named.
#MIRRORED_REGISTRIES=docker.io,ghcr.io,quay.io,registry.k8s.io

# The registry port has to be the same on every node.
#REGISTRY_ADDR=:5000
#ROUTER_ADDR=:5001
#METRICS_ADDR=:9090

#LOG_LEVEL=info
`;
