def sparse():
    with open("sparse", "wb") as file:
        file.truncate(1 << 40)


attempt("a sparse file of 1 TB", sparse)
