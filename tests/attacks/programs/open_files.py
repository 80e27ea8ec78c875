kept = []


def open_many():
    for _ in range(1_000):
        kept.append(open("/dev/null"))


attempt("a thousand open files", open_many)
