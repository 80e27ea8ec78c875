def through(name):
    with open(name, "rb") as file:
        return file.read(16)


for number, path in enumerate(
    ("/etc/shadow", "/etc/passwd", "/etc/hostname", "/var/lib/dpkg/status", "/var/log/dpkg.log")
):
    os.symlink(path, f"link-{number}")
    attempt(f"reading {path}", through, path)
    attempt(f"reading {path} through a link", through, f"link-{number}")
    attempt(f"a hard link to {path}", os.link, path, f"hard-{number}")
for folder in ("/root", "/home", "/opt", "/var", "/srv", "/boot"):
    attempt(f"listing {folder}", os.listdir, folder)
for path in ("/usr/x", "/bin/x", "/etc/x", "/lib/x", "/x", "../x", "/proc/x", "/sys/x"):
    attempt(f"writing {path}", os.open, path, os.O_CREAT | os.O_WRONLY)
attempt("changing a program", os.open, "/usr/bin/true", os.O_WRONLY)
attempt("renaming a program", os.rename, "/usr/bin/true", "/usr/bin/x")
