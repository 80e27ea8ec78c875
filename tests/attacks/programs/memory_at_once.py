kept = bytearray(10 << 30)
