#!/bin/sh
# Runs a machine: systemd as the first process of namespaces of its own, on a root directory that
# shows the host's files and keeps all changes to itself. To be run in a mount namespace of its own.
# usage: machine_boot.sh DIRECTORY CONTROL-GROUP
set -eu

if [ "${3-}" != first ]; then
  # Whoever ends this waits until it has cleaned up.
  trap : TERM
  mount --make-rprivate /
  mkdir -p "$1"
  mount -t tmpfs tmpfs "$1"
  mkdir "$1/cgroup"
  mount -t cgroup2 cgroup2 "$1/cgroup"
  mkdir "$1/cgroup/$2"
  echo $$ >"$1/cgroup/$2/cgroup.procs"
  unshare --mount --pid --fork --kill-child --cgroup --uts --ipc sh "$0" "$1" "$2" first || true
  # Systemd was killed, and with it all that it had started.
  echo $$ >"$1/cgroup/cgroup.procs"
  find "$1/cgroup/$2" -depth -type d -exec rmdir {} +
  exit
fi

cd "$1"
umount cgroup
mkdir changes work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" root
cd root

# The kernel is the host's: what speaks to it is for reading only.
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup

mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
  touch "dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/shm dev/pts
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p run/machine/changes
mount --bind "$1/changes" run/machine/changes
cp /etc/hosts /etc/resolv.conf run/machine
for name in hosts resolv.conf; do
  rm -f "etc/$name"
  mv "run/machine/$name" "etc/$name"
done

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
rmdir /run/host
exec env -i container=eddy PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  setpriv --bounding-set -sys_module,-sys_time,-sys_rawio,-syslog \
  /lib/systemd/systemd --system --unit=basic.target --show-status=0
