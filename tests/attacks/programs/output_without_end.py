while True:
    os.write(1, b"a line\n" * 9_000)
