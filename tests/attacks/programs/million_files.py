def create():
    for number in range(1_000_000):
        open(f"{number}", "wb").close()


attempt("a million files", create)
