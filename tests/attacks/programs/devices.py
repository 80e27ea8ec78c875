import stat

for path in (
    "/dev/mem",
    "/dev/kmsg",
    "/dev/port",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/fuse",
    "/dev/kvm",
    "/dev/vda",
    "/dev/sda",
):
    attempt(f"opening {path}", os.open, path, os.O_RDWR)
attempt("making a device", os.mknod, "device", 0o666 | stat.S_IFCHR, os.makedev(1, 1))
attempt("making a disk", os.mknod, "disk", 0o666 | stat.S_IFBLK, os.makedev(8, 0))
