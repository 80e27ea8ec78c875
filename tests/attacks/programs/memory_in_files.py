def fill(folder):
    for number in range(1_000):
        with open(os.path.join(folder, f"filling-{number}"), "wb") as file:
            file.write(b"x" * 900_000)


for folder in (".", "/dev/shm", "/tmp", "/var/tmp", "/run", "/dev"):
    attempt(f"filling {folder}", fill, folder)
attempt("memory without a file system", call, "memfd_create", b"x", 0)
