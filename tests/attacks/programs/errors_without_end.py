while True:
    os.write(2, b"a line\n" * 9_000)
