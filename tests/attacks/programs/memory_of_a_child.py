if os.fork() == 0:
    kept = []
    while True:
        kept.append(b"x" * 1_000_000)
os.wait()
