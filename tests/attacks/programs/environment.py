for name, value in os.environ.items():
    if "SECRET" in name or "SECRET" in value:
        print("REACHED", name)
for pid in os.listdir("/proc/self/task") + [str(one) for one in OUTSIDE] + [str(os.getppid())]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            if b"SECRET" in file.read():
                print("REACHED the environment of", pid)
    except OSError as error:
        print("stopped", error)
