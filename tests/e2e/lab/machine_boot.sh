#!/bin/sh
# Becomes the first process of a machine: systemd, on a root directory that shows the host's files and
# keeps all changes to itself. Runs in new mount, PID, cgroup, IPC, UTS and network namespaces.
# usage: machine_boot.sh DIRECTORY
set -eu

ip link set lo up
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir changes work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" root
cd root

# The kernel is the host's: what speaks to it is for reading only.
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/fs/cgroup
if grep -q :name=systemd: /proc/self/cgroup; then
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
else
  mount -t cgroup2 cgroup2 sys/fs/cgroup
fi

mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
  touch "dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/shm dev/pts
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
# Where tests find what was changed, and hand files over.
mkdir -p "run/machine/changes"
mount --bind "$1/changes" run/machine/changes

# None of the host's services, and none that is for real machines.
rm -rf etc/systemd/system
mkdir etc/systemd/system
for unit in systemd-firstboot systemd-machine-id-commit systemd-tmpfiles-clean \
  systemd-update-utmp systemd-networkd; do
  ln -s /dev/null "etc/systemd/system/$unit.service"
done
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id

mkdir run/host
pivot_root . run/host
umount -l /run/host
exec env -i container=eddy PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  setpriv --bounding-set -sys_module,-sys_time,-sys_rawio,-syslog \
  /lib/systemd/systemd --system --unit=basic.target --show-status=0
