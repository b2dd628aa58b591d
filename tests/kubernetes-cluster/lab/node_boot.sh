#!/bin/bash
# First process of a node, in namespaces of its own: gives it directories and settings of its own,
# so that nothing of the machine changes, and reaps what is left to it.
# usage: node_boot.sh DIRECTORY NAME
set -eu
directory="$1"

# On tmpfs and overlays there is room for mount points that the machine does not have.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns /run/own/etc /run/own/work /run/own/settings
mount -t overlay -o lowerdir=/etc,upperdir=/run/own/etc,workdir=/run/own/work overlay /etc
for place in /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$place"; done
for place in /etc/containerd /etc/cni/net.d /var/lib/containerd /var/lib/kubelet /var/lib/eddy \
  /var/lib/cni /var/log/pods /var/log/containers; do
  mkdir -p "$place" "$directory/root$place"
  mount --bind "$directory/root$place" "$place"
done
for name in hosts resolv.conf; do mount --bind "$directory/$name" "/etc/$name"; done

# kubelet sets these for the whole machine, unless they are as it wants them.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file="/proc/sys/${setting%=*}"
  [ -e "$file" ] || continue
  own="/run/own/settings/$(basename "$file")"
  echo "${setting#*=}" >"$own"
  mount --bind "$own" "$file"
done
# This one is the network namespace's.
echo 1 >/proc/sys/net/ipv4/ip_forward

hostname "$2"
# Pods see mounts that come later.
mount --make-rshared /
touch "$directory/booted"
while :; do
  sleep 3600 &
  wait
done
