"""What the evidence says: rules as pure functions of counts, and their state. No I/O, no clock."""
